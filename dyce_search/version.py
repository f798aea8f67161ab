"""The version of this library, for whoever names it in what it writes."""

__version__ = "0.1.0"
