"""Find early-exit configurations from recorded predictions, as a Pareto front of accuracy against compute.

The method is DyCE (Wang et al. 2024, arXiv 2403.01695).

`search`, `compare` and other names here are the functions, whatever was imported before; what else is in the modules
of the same names comes by `from dyce_search.search import SOLVERS`.
"""

from dyce_search.analysis.calibration import ExitAuroc, Reliability, exit_auroc, reliability
from dyce_search.analysis.compare import compare
from dyce_search.analysis.comparison import ComparedSearch, Comparison
from dyce_search.analysis.config_plot import plot_config
from dyce_search.analysis.diagnostics import ExitFlow, ExitProfile, GroupDrops, exit_flow, exit_profile, worst_groups
from dyce_search.analysis.exit_value import MarginalValue, OracleGap, marginal_value, oracle_gap
from dyce_search.analysis.optimism import Band, Optimism, bootstrap_band, optimism
from dyce_search.analysis.temperature import Temperatures, fit_temperatures
from dyce_search.certify.certificate import Certificate, CertifiedLimit, CertifiedPoint
from dyce_search.certify.check import Check, CheckedLimit, check_certificate
from dyce_search.certify.drift import DriftMonitor
from dyce_search.drawing.axes import new_axes
from dyce_search.errors import (
    ConfigError,
    CostsError,
    DyceError,
    FileFormatError,
    FrontError,
    InfeasibleError,
    MissingPackageError,
    ModelError,
    RecordsError,
    SolverError,
)
from dyce_search.evaluation.baselines import RulePoints, patience, static_exits
from dyce_search.evaluation.config import ExitConfig
from dyce_search.evaluation.curve import Curve, OperatingPoint
from dyce_search.evaluation.evaluate import BatchEvaluation, Evaluation, evaluate, evaluate_many
from dyce_search.evaluation.oracle import oracle
from dyce_search.expected.scores import expected_scores
from dyce_search.front.front import ParetoFront
from dyce_search.orders.ordered_front import OrderedFront, OrderedPoint
from dyce_search.orders.search_orders import search_orders
from dyce_search.orders.stages import in_order
from dyce_search.parallel import search_many
from dyce_search.provenance import Provenance
from dyce_search.records.cascade_loading import load_cascade
from dyce_search.records.costs import ExitCosts
from dyce_search.records.layout import ExitLayout
from dyce_search.records.loading import load_example, load_records
from dyce_search.records.records import ExitRecords
from dyce_search.records.sample_costs import SampleCosts
from dyce_search.records.stored import StoredRecords
from dyce_search.records.synthetic import synthetic_records
from dyce_search.report.page import report
from dyce_search.search import search
from dyce_search.solvers.run import Run
from dyce_search.solvers.search_space import objective
from dyce_search.version import __version__ as __version__

__all__ = [
    "Band",
    "BatchEvaluation",
    "Certificate",
    "CertifiedLimit",
    "CertifiedPoint",
    "ComparedSearch",
    "Check",
    "CheckedLimit",
    "Comparison",
    "ConfigError",
    "CostsError",
    "Curve",
    "DriftMonitor",
    "DyceError",
    "Evaluation",
    "ExitAuroc",
    "ExitConfig",
    "ExitCosts",
    "ExitFlow",
    "ExitLayout",
    "ExitProfile",
    "ExitRecords",
    "FileFormatError",
    "FrontError",
    "GroupDrops",
    "InfeasibleError",
    "MarginalValue",
    "MissingPackageError",
    "ModelError",
    "OperatingPoint",
    "Optimism",
    "OrderedFront",
    "OrderedPoint",
    "OracleGap",
    "ParetoFront",
    "Provenance",
    "RecordsError",
    "Reliability",
    "RulePoints",
    "Run",
    "SampleCosts",
    "SolverError",
    "StoredRecords",
    "Temperatures",
    "bootstrap_band",
    "check_certificate",
    "compare",
    "evaluate",
    "evaluate_many",
    "exit_auroc",
    "exit_flow",
    "exit_profile",
    "expected_scores",
    "fit_temperatures",
    "in_order",
    "load_cascade",
    "load_example",
    "load_records",
    "marginal_value",
    "new_axes",
    "objective",
    "optimism",
    "oracle",
    "oracle_gap",
    "patience",
    "plot_config",
    "reliability",
    "report",
    "search",
    "search_many",
    "search_orders",
    "static_exits",
    "synthetic_records",
    "worst_groups",
]
