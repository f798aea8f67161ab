"""Optuna's samplers on two objectives, in batches, alone or several processes on one study."""

import os
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dyce_search.arguments import real, shown, whole
from dyce_search.errors import SolverError
from dyce_search.fingerprints import UNMARKED, digest_of, fingerprint, united
from dyce_search.front.front import ParetoFront
from dyce_search.solvers.run import Run
from dyce_search.solvers.search_space import SearchSpace

if TYPE_CHECKING:
    import optuna

DEFAULT_TRIALS = 2000
BATCH = 50
POSIX = os.name == "posix"  # elsewhere asking for a process by a signal may end it
STALE = 300.0  # seconds after which a running trial of another machine counts as lost; a batch takes far less
UNCLAIMED = 60.0  # the same for one that its process has not marked as its own; that takes milliseconds
ATTEMPTS = 5  # to open a storage
MARKS = "dyce_search:marks"  # attribute of a study: marks of the samples that it was made on
FIGURES = "dyce_search:figures"  # of what its accuracies and costs are
OWNER = "dyce_search:process"


def nsga2(
    run: Run,
    *,
    n_trials: int | None = None,
    warm_start: ParetoFront | None = None,
    min_accuracy: float | None = None,
    storage: Any = None,
    study_name: str | None = None,
) -> None:
    """NSGA-II: non-dominated sorting and crowding, 50 configurations a generation (Deb 2002, IEEE TEC 6(2)).

    Objectives are the accuracy (to maximise) and the relative cost (to minimise); parameters are, for each position p,
    `exit_p` (-1 for none, else the candidate) and `share_p`, the share of the samples above the threshold. Trials are
    asked for, measured and told in batches of 50.

    Args:
        run: the search; 2,000 trials where neither a budget nor `n_trials` is given.
        n_trials: another name of `max_evaluations`. With a storage, of the whole study, earlier and other processes'
            trials included: a study that was killed is taken up again and ends with this many completed trials.
        warm_start: a front of the same network: its configurations take part in the result, and as many as fit into
            half the trials, evenly chosen, become the first trials of a new study.
        min_accuracy: a floor on the accuracy, in [0, 1], as a constraint: the sampler prefers what is above it.
        storage: of the study, as Optuna takes it (for example "sqlite:///study.db"); None keeps it in memory.
            Several processes may work on one study; the trials of one that died are made again. Each draws its own:
            with a storage the process number and the time go into the seed, so a search is not repeatable. A file
            that all can reach serves as well, `JournalStorage(JournalFileBackend("study.log"))` of `optuna.storages`.
            To look on: `pip install optuna-dashboard`, then `optuna-dashboard sqlite:///study.db`.
        study_name: of the study in that storage, "dyce_search" by default.

    Raises:
        SolverError: n_trials that contradicts max_evaluations, a storage that cannot be opened, a study of another
            network, a study name without a storage, or a bad value.
        ConfigError: a warm start of another network.
    """
    _optimise(run, "NSGAIISampler", n_trials, warm_start, min_accuracy, storage, study_name)


def nsga3(
    run: Run,
    *,
    n_trials: int | None = None,
    warm_start: ParetoFront | None = None,
    min_accuracy: float | None = None,
    storage: Any = None,
    study_name: str | None = None,
) -> None:
    """NSGA-III: as NSGA-II, spread along reference directions (Deb and Jain 2014, IEEE TEC 18(4)).

    Arguments and errors are those of `nsga2`.
    """
    _optimise(run, "NSGAIIISampler", n_trials, warm_start, min_accuracy, storage, study_name)


def tpe(
    run: Run,
    *,
    n_trials: int | None = None,
    warm_start: ParetoFront | None = None,
    min_accuracy: float | None = None,
    storage: Any = None,
    study_name: str | None = None,
) -> None:
    """Tree-structured Parzen estimator for several objectives (Ozaki 2022, JAIR 73), all parameters in one model.

    Its time grows with the square of the number of trials. One model for all costs about a quarter of one for each: on
    the bundled records 7 s instead of 26 s for 500 trials. Trial for trial it is worse (hypervolume 0.928 instead of
    0.930 then), but 1,000 to 1,250 trials, which it makes in the time of about 500 to 1,000, had 0.929 to 0.931: no
    clear winner. Arguments and errors are those of `nsga2`.
    """
    _optimise(run, "TPESampler", n_trials, warm_start, min_accuracy, storage, study_name, multivariate=True)


def random(
    run: Run,
    *,
    n_trials: int | None = None,
    warm_start: ParetoFront | None = None,
    min_accuracy: float | None = None,
    storage: Any = None,
    study_name: str | None = None,
) -> None:
    """Random search: the floor that every other solver has to beat. Arguments and errors are those of `nsga2`."""
    _optimise(run, "RandomSampler", n_trials, warm_start, min_accuracy, storage, study_name)


def _optimise(
    run: Run,
    sampler: str,
    n_trials: int | None,
    warm_start: ParetoFront | None,
    min_accuracy: float | None,
    storage: Any,
    study_name: str | None,
    **options: Any,
) -> None:
    """What the four have in common."""
    goal = _goal(run, n_trials)
    known = _known(run, warm_start)
    _check_floor(min_accuracy)
    if study_name is not None and storage is None:
        raise SolverError("study_name needs a storage to keep the study in: pass storage='sqlite:///study.db'")
    import optuna

    with _quiet():
        seed = int(run.rng.integers(2**31))
        if storage is not None:  # processes on one study must not draw the same trials
            seed = int(np.random.SeedSequence([seed, os.getpid(), time.time_ns()]).generate_state(1)[0])
        study, opened = _open(getattr(optuna.samplers, sampler)(seed=seed, **options), storage, study_name)
        space = SearchSpace(run.records, run.timely)
        _check_network(study, space)
        _remember_samples(run, study)
        _remember_figures(run, study)
        if known is not None:
            run.propose(*known)
            if not study.get_trials(deepcopy=False):
                chosen = np.unique(np.linspace(0, len(known[0]) - 1, max(1, min(len(known[0]), goal // 2))).astype(int))
                for parameters in space.parameters(known[0][chosen], known[1][chosen]):
                    study.enqueue_trial(parameters)
        mine: set[int] = set()
        try:
            _work(run, study, space, goal, min_accuracy, storage is not None, mine)
        finally:
            others = [trial for trial in _trials(study, "COMPLETE") if trial.number not in mine]
            if others:
                run.propose(*space.from_parameters([trial.params for trial in others]))
            if isinstance(opened, optuna.storages.RDBStorage) and opened is not storage:
                opened.remove_session()
                opened.engine.dispose()


def _work(
    run: Run,
    study: "optuna.Study",
    space: SearchSpace,
    goal: int,
    min_accuracy: float | None,
    shared: bool,
    mine: set[int],
) -> None:
    """Batches until the study has `goal` completed trials; the numbers of those told here go into `mine`."""
    done = 0
    while True:
        run.require()
        if shared:
            _give_up_lost(study)
            done = len(_trials(study, "COMPLETE"))
        busy = len(_trials(study, "RUNNING")) if shared else 0
        if done >= goal:
            return
        size = min(BATCH, goal - done - busy)
        if size <= 0:  # others work on the last trials; should they die, these are made here
            time.sleep(0.05)
            continue
        asked: list[optuna.Trial] = []
        try:
            for _ in range(size):
                asked.append(study.ask())
                if shared:  # at once: the parameters take a database much longer
                    asked[-1].set_user_attr(OWNER, _owner())
                space.suggest(asked[-1])
            if shared:
                asked = _within(study, asked, goal)
            measured = run.evaluate(*space.from_parameters([trial.params for trial in asked]))
            while asked:
                trial, f = asked[0], len(measured) - len(asked)
                if min_accuracy is not None:
                    trial.set_constraint("min_accuracy", float(min_accuracy - measured.accuracy[f]))
                values = (float(measured.accuracy[f]), float(measured.relative_cost[f]))
                study.tell(trial, values, skip_if_finished=True)
                mine.add(trial.number)
                asked.pop(0)
                done += 1
        finally:
            for trial in asked:  # stopped half-way: not counted
                study.tell(trial, state=_state("FAIL"), skip_if_finished=True)


def _within(study: "optuna.Study", asked: "list[optuna.Trial]", goal: int) -> "list[optuna.Trial]":
    """Those of the trials that are among the first `goal`; processes that asked at once agree on who gives way."""
    counted = sorted(trial.number for trial in _trials(study, "COMPLETE", "RUNNING", "WAITING"))
    rank = {number: place for place, number in enumerate(counted)}
    kept = []
    for trial in asked:
        if rank.get(trial.number, goal) < goal:
            kept.append(trial)
        else:
            study.tell(trial, state=_state("FAIL"), skip_if_finished=True)
    return kept


def _give_up_lost(study: "optuna.Study") -> None:
    """Marks the running trials of processes that are gone as failed; where none can be asked, those too old."""
    import datetime

    for trial in _trials(study, "RUNNING"):
        host, *process = str(trial.user_attrs.get(OWNER, "")).rsplit(":", 2)
        started = trial.datetime_start or datetime.datetime.now()
        age = (datetime.datetime.now() - started).total_seconds()
        here = POSIX and host == socket.gethostname() and len(process) == 2
        lost = process[1] != _started(int(process[0])) if here else age > (STALE if process else UNCLAIMED)
        if lost:
            study.tell(trial.number, state=_state("FAIL"), skip_if_finished=True)


def _started(process: int) -> str:
    """When a process of this machine started, for numbers are used again; "" where it is gone.

    In ticks since the machine started, where the system tells it as Linux does; else "running". On Windows, where
    `os.kill` ends the process whatever the signal, it is taken to run, and `_give_up_lost` goes by the trial's age.
    """
    if not POSIX:
        return "running"
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return "running"
    return stat.rpartition(")")[2].split()[19]


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def _trials(study: "optuna.Study", *states: str) -> "list[optuna.trial.FrozenTrial]":
    return study.get_trials(deepcopy=False, states=tuple(_state(name) for name in states))


def _state(name: str) -> Any:
    import optuna

    return optuna.trial.TrialState[name]


def _distributions(space: SearchSpace) -> "dict[str, optuna.distributions.BaseDistribution]":
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

    found: dict[str, BaseDistribution] = {}
    for p, count in enumerate(space.n_candidates):
        found[f"exit_{p}"] = CategoricalDistribution(list(range(-1, int(count))))
        found[f"share_{p}"] = FloatDistribution(0.0, 1.0)
    return found


def _open(sampler: Any, storage: Any, study_name: str | None) -> "tuple[optuna.Study, Any]":
    """The study, and its storage: an open one where a URL of a database was given."""
    import optuna

    directions: list[Literal["minimize", "maximize"]] = ["maximize", "minimize"]
    for attempt in range(ATTEMPTS):
        try:
            database = isinstance(storage, str) and not storage.startswith("redis")
            opened = optuna.storages.RDBStorage(storage) if database else storage
            study = optuna.create_study(
                sampler=sampler,
                directions=directions,
                storage=opened,
                study_name=study_name or ("dyce_search" if storage is not None else None),
                load_if_exists=storage is not None,
            )
            break
        except Exception as cause:  # whatever the database driver raises; another process may just create the tables
            never = isinstance(cause, (AttributeError, ImportError, TypeError, ValueError))  # such as no storage at all
            if never or type(cause).__name__ == "ArgumentError" or attempt == ATTEMPTS - 1:  # or no URL
                why = ": ".join([type(cause).__name__, *str(cause).splitlines()[:1]])
                raise SolverError(
                    f"storage {shown(storage)} cannot be opened: {why}; "
                    "pass a URL such as 'sqlite:///study.db' or an Optuna storage"
                ) from cause
            time.sleep(0.1 * (attempt + 1))
    if [direction.name.lower() for direction in study.directions] != directions:
        raise SolverError(
            f"study {study.study_name!r} has the directions {[d.name.lower() for d in study.directions]}, not "
            f"{directions} (accuracy, relative cost): choose another study_name"
        )
    return study, opened


def _check_network(study: "optuna.Study", space: SearchSpace) -> None:
    """A study that has trials must have them on positions and candidates like these."""
    expected = _distributions(space)
    for trial in _trials(study, "COMPLETE")[:1]:
        if trial.distributions != expected:
            raise SolverError(
                f"study {study.study_name!r} belongs to another network, or to another search: it has "
                f"{len(trial.distributions)} parameters, the records need {len(expected)}; choose another study_name"
            )


def _remember_samples(run: Run, study: "optuna.Study") -> None:
    """What this study owes to which samples: those of all searches that ever worked on it."""
    seen = study.user_attrs.get(MARKS)
    if seen is None and _trials(study, "COMPLETE"):
        warnings.warn(
            f"study {study.study_name!r} has trials, but does not say on which samples they were made: certify what is "
            "found on samples that it has not seen",
            stacklevel=2,
        )
    run.owes(seen or ())
    study.set_user_attr(MARKS, united(run.marks, fingerprint(run.records.confidence)))


def _remember_figures(run: Run, study: "optuna.Study") -> None:
    """Of which records, costs and scores its figures are: those of others lead the sampler astray, and count."""
    costs = run.records.costs
    accuracy = run.records.exit_accuracy.round(6)  # not to the last bits, which machines compute differently
    own = digest_of((costs.backbone, costs.head, accuracy), f"{run.records.n_samples} {costs.unit}")
    known = study.user_attrs.get(FIGURES, [])
    if _trials(study, "COMPLETE") and known and known != [own]:
        warnings.warn(
            f"study {study.study_name!r} has trials whose accuracies and costs are of other records, costs or scores: "
            "they guide this search, and are among its n_trials; choose another study_name, or start from a front of "
            "them by warm_start=",
            stacklevel=2,
        )
    study.set_user_attr(FIGURES, sorted({*known, own}))


def _goal(run: Run, n_trials: int | None) -> int:
    if n_trials is None:
        return run.plan(DEFAULT_TRIALS)
    whole(n_trials, "n_trials", SolverError, least=1)
    if np.isfinite(run.evaluations_left) and run.evaluations_left != n_trials:
        raise SolverError(
            f"n_trials={n_trials} contradicts max_evaluations={run.evaluations_left}: they mean the same, give one"
        )
    return int(n_trials)


def _known(run: Run, warm_start: ParetoFront | None) -> Any:
    """The configurations of a front as arrays, checked."""
    if warm_start is None:
        return None
    if not isinstance(warm_start, ParetoFront):
        raise SolverError(f"warm_start must be a ParetoFront, got {type(warm_start).__name__}")
    warm_start.layout.joined(run.records.layout, "warm_start", "the records")
    run.owes(warm_start.fingerprint)
    if not warm_start.fingerprint:
        warnings.warn(f"warm_start {UNMARKED}: certify what is found on samples that it has not seen", stacklevel=2)
    return warm_start.exits, warm_start.threshold


def _check_floor(min_accuracy: float | None) -> None:
    if min_accuracy is not None:
        real(min_accuracy, "min_accuracy", SolverError, "be a number in [0, 1]", lambda value: 0 <= value <= 1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps Optuna's log at warnings and its notes on experimental parts away; restores both."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
