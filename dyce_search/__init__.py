"""Find early-exit configurations from precomputed per-exit predictions, as a Pareto front of accuracy against cost."""

from dyce_search.baselines import RulePoints, oracle, patience, static_exits
from dyce_search.compare import compare
from dyce_search.comparison import ComparedSearch, Comparison
from dyce_search.config import ExitConfig
from dyce_search.config_plot import plot_config
from dyce_search.costs import ExitCosts
from dyce_search.curve import Curve, OperatingPoint
from dyce_search.errors import (
    ConfigError,
    CostsError,
    DyceError,
    FileFormatError,
    FrontError,
    InfeasibleError,
    RecordsError,
    SolverError,
)
from dyce_search.evaluate import BatchEvaluation, Evaluation, evaluate, evaluate_many
from dyce_search.front import ParetoFront, Provenance
from dyce_search.loading import load_example, load_records
from dyce_search.parallel import search_many
from dyce_search.records import ExitRecords
from dyce_search.search import search
from dyce_search.solvers.run import Run
from dyce_search.solvers.search_space import objective
from dyce_search.synthetic import synthetic_records

__version__ = "0.1.0"

__all__ = [
    "BatchEvaluation",
    "ComparedSearch",
    "Comparison",
    "ConfigError",
    "CostsError",
    "Curve",
    "DyceError",
    "Evaluation",
    "ExitConfig",
    "ExitCosts",
    "ExitRecords",
    "FileFormatError",
    "FrontError",
    "InfeasibleError",
    "OperatingPoint",
    "ParetoFront",
    "Provenance",
    "RecordsError",
    "RulePoints",
    "Run",
    "SolverError",
    "compare",
    "evaluate",
    "evaluate_many",
    "load_example",
    "load_records",
    "objective",
    "oracle",
    "patience",
    "plot_config",
    "search",
    "search_many",
    "static_exits",
    "synthetic_records",
]
