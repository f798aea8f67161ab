"""The errors that a user can cause. All derive from `DyceError`; this room imports nothing."""


class DyceError(Exception):
    """Base of every error that dyce_search raises on purpose."""


class CostsError(DyceError, ValueError):
    """Costs that contradict themselves, or that do not fit the records."""


class RecordsError(DyceError, ValueError):
    """Records, logits or labels that cannot be used as they are."""


class ConfigError(DyceError, ValueError):
    """A configuration that is malformed, or that belongs to another network."""


class FileFormatError(DyceError, ValueError):
    """A file that is damaged, of another version, or not what was expected."""


class FrontError(DyceError, ValueError):
    """A front that cannot be built, merged, compared or measured as asked."""


class SolverError(DyceError, ValueError):
    """An unknown solver, an option that it does not take, or a bad value of one."""


class InfeasibleError(DyceError, LookupError):
    """No point satisfies the request; the message names the closest one."""


class ModelError(DyceError, ValueError):
    """A backbone, a head or an input that the runtime cannot work with."""


class MissingPackageError(DyceError, ImportError):
    """An optional package is not installed; the message names what to install."""
