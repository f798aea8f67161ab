"""Everything public that can be called, found by walking over the names: a new function is there the day it is written.

A call needs right arguments. They are chosen by the name of the parameter (`Right.by_name`), so that a new function
with the usual names needs no entry; one with others gets it there, or in `Right.of` where it needs something special.
"""

import inspect
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

import dyce_search as ds
from dyce_search.search import SOLVERS, find_solver

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass
class Target:
    """Something public to call.

    Attributes:
        name: such as "search", "ParetoFront.select" or "ExitCosts" for its constructor.
        make: gives the function to call, bound where it is a method.
        right: arguments that it takes, by name; lists stand for what is passed with a star.
        hints: types of all parameters by name, with what a star collects as type of one.
        star: parameters that are passed with a star.
        documented: its docstring, and that of its class.
        before: puts back what a call changes.
    """

    name: str
    make: Callable[[], Callable[..., Any]]
    right: dict[str, Any]
    hints: dict[str, Any]
    star: set[str] = field(default_factory=set)
    documented: str = ""
    before: Callable[[], Any] = dict

    def call(self, changes: Mapping[str, Any]) -> Any:
        """Calls it with its right arguments, but for some."""
        given = {**self.right, **changes}
        stars = [value for name in self.star for value in given.pop(name, ())]
        self.before()
        function = self.make()
        if not stars:
            return function(**given)
        positional = [
            given.pop(p.name) for p in inspect.signature(function).parameters.values()
            if p.kind in POSITIONAL and p.name in given
        ]  # fmt: skip
        return function(*positional, *stars, **given)


class Right:
    """Right arguments, small and cheap."""

    def __init__(self, folder: Any) -> None:
        self.folder = folder
        records = ds.load_example("test").subset(np.arange(60))
        self.records = ds.ExitRecords(
            confidence=records.confidence[[0, 1, 3, -1]],
            score=records.score[[0, 1, 3, -1]],
            costs=ds.ExitCosts(backbone=[1.0, 2.0, 4.0], head=[0.5, 0.25, 0.5, 0.0], position=[0, 0, 1, 2]),
            label=np.arange(60) % 4,
            prediction=np.arange(240).reshape(4, 60) % 4,
            group=np.arange(60) // 2,
            measure="max_prob",
        )
        self.front = ds.search(self.records, solver="same_threshold", scores="observed")
        self.other = ds.load_example("test").subset(np.arange(100, 160))
        self.other = replace(self.records, confidence=self.other.confidence[[0, 1, 3, -1]])
        self.config = ds.ExitConfig(candidate=[0, 0], threshold=[0.5, 0.5], layout=self.records.layout)
        self.point = self.front[0]
        self.certified = certified_by_hand(self.point)
        rows = [
            {"query": query, "model": model, "score": 1, "confidence": query / 3, "cost": cost}
            for query in range(3)
            for model, cost in (("a", 1), ("b", 2))
        ]
        self.cascade = ds.load_cascade(rows)
        self.rows = rows
        self.other_cascade = ds.load_cascade([row | {"confidence": row["query"] / 7} for row in rows])
        self.comparison = ds.compare(
            self.records, solvers=["same_threshold"], max_evaluations=10, scores="observed", progress=False
        )
        for name in ("records.npz", "stored.npz"):
            self.records.save(folder / name, compress=False)
        self.stored = ds.load_records(folder / "stored.npz", in_memory=False)
        self.front.save(folder / "front.json")
        self.config.save(folder / "config.json")
        self.certified.save(folder / "point.json")
        self.records.costs.save(folder / "costs.json")
        ordered = ds.search_orders(self.cascade, scores="observed", effort="fast", progress=False)
        ordered.save(folder / "ordered.json")
        self.run = ds.Run(self.records, progress=False)
        charged = ds.SampleCosts(backbone=np.ones((3, 60)), head=np.ones((4, 60)), position=[0, 0, 1, 2])
        every = [
            self.records, self.front, self.config, self.point, self.certified, self.comparison, self.stored, ordered,
            self.run, charged, self.records.costs, self.records.layout, self.certified.certificate,
            self.front.evaluate(self.records), ds.evaluate(self.records, self.config, per_sample=True),
            ds.exit_auroc(self.records), ds.reliability(self.records), ds.exit_flow(self.front, self.records),
            ds.exit_profile(self.records, self.config), ds.worst_groups(self.records, self.config),
            ds.bootstrap_band(self.front, self.records, resamples=2), ds.patience(self.records),
            ds.oracle_gap(self.front, self.records), ds.fit_temperatures(np.zeros((1, 2, 2)), [0, 1]),
            ds.DriftMonitor(self.point, self.records, max_accuracy_drop=0.5), ordered[0],
            ds.check_certificate(self.certified, self.records), self.certified.certificate.limits[0],
            ds.check_certificate(self.certified, self.records).limits[0], self.comparison.searches[0],
            self.front.provenance,
            ds.optimism(self.front, self.other),
            ds.marginal_value(self.records, effort="fast"),
        ]  # fmt: skip
        self.instances = {type(one).__name__: one for one in every}
        self.torch = TorchRight(self) if find_spec("torch") else None
        self.before = self.torch.before if self.torch else {}
        if self.torch:
            self.instances |= self.torch.instances
        packages = ("torch", "onnx", "onnxscript", "onnxruntime")
        self.onnx = OnnxRight(self) if all(map(find_spec, packages)) else None
        if self.onnx:
            self.instances |= self.onnx.instances
        n_points = len(self.front)
        self.by_name: dict[str, Any] = {
            "unit": "MACs",
            "records": self.records, "calibration": self.other, "front": self.front, "config": self.config,
            "path": folder / "written", "folder": folder / "folder", "point": self.certified, "labels": [0, 1],
            "logits": np.full((4, 2, 3), 2.0), "probs": np.full((4, 2, 2), 0.5), "costs": self.records.costs,
            "index": [0, 1], "held_out": self.other.subset(np.arange(30)), "layout": self.records.layout,
            "other": self.records.layout, "others": [self.front], "share": 0.5, "budget": 1.0, "exits": [[0, 2]],
            "threshold": [[0.5, 0.5]], "confidence": self.records.confidence, "score": self.records.score,
            "backbone": self.records.costs.backbone, "head": self.records.costs.head,
            "position": self.records.costs.position, "models": ["b", "a"], "log": self.rows, "record_sets":
            [self.records], "n": 10, "positions": 2, "types": 1, "configs": [self.config], "price": [1.0, 2.0],
            "content": {}, "evaluations": 1, "default": 1, "steps": [0], "what": "steps", "marks": ["00ff" * 4],
            "solver": "same_threshold", "options": {}, "measured": ds.evaluate_many(self.records, [self.config]),
            "fractions": [0.5], "seed": 0, "candidate": [0, 0], "n_positions": 2, "frame": frame(), "known":
            self.records.costs, "setting": {"k": np.arange(2)}, "accuracy": [0.5, 0.6], "cost": [1.0, 2.0],
            "name": "rule", "baseline_accuracy": 0.5, "exit_accuracy": self.front.exit_accuracy, "n_samples": 60,
            "records_digest": "00" * 32, "calibration_records": self.records, "ours": "one", "theirs": "the other",
            "relative_cost": 0.9, "provenance": self.front.provenance, "size": 3,
            "parts": [ds.evaluate_many(self.records, [self.config])], "figures": None,
        }  # fmt: skip
        curve = {name: getattr(self.front, name) for name in ("candidate", "threshold", "accuracy", "cost")}
        assert n_points
        self.of: dict[str, dict[str, Any]] = {
            "search": {"solver": "same_threshold", "scores": "observed"},
            "search_many": {"solver": "same_threshold", "scores": "observed"},
            "search_orders": {"records": self.cascade, "scores": "observed", "effort": "fast"},
            "in_order": {"records": self.cascade},
            "compare": {"solvers": ["same_threshold"], "max_evaluations": 10, "scores": "observed", "progress": False},
            "marginal_value": {"by": "type"},
            "bootstrap_band": {"resamples": 2},
            "expected_scores": {"effort": "fast"},
            "report": {"max_accuracy_drop": 0.5},
            "fit_temperatures": {"logits": np.eye(3)[None, :2] * 2},
            "load_records": {"path": folder / "records.npz"},
            "load_example": {"part": "test"},
            "patience": {},
            "optimism": {},
            "ExitConfig": {"candidate": [0, 0], "threshold": [0.5, 0.5]},
            "ExitConfig.leaves": {"position": 0, "confidence": 0.5},
            "ExitConfig.load": {"path": folder / "config.json"},
            "ExitConfig.from_dict": {"content": self.config.to_dict()},
            "ExitCosts.load": {"path": folder / "costs.json"},
            "ExitCosts.from_dict": {"content": self.records.costs.to_dict()},
            "CertifiedPoint.load": {"path": folder / "point.json"},
            "CertifiedPoint.from_dict": {"content": self.certified.to_dict()},
            "ParetoFront.load": {"path": folder / "front.json"},
            "OrderedFront.load": {"path": folder / "ordered.json"},
            "OrderedFront.evaluate": {"records": self.cascade},
            "OrderedFront.certify": {"calibration": self.other_cascade, "max_accuracy_drop": 0.99, "confidence": 0.01},
            "OrderedFront.explore": {"held_out": self.other_cascade},
            "OrderedFront.index_of": {"config": ordered[0].config},
            "OrderedFront.select": {"max_accuracy_drop": 0.9},
            "ParetoFront.select": {"max_accuracy_drop": 0.9},
            "ParetoFront.certify": {"max_accuracy_drop": 0.99, "confidence": 0.01},
            "ParetoFront.from_arrays": {"exits": self.front.exits, "threshold": self.front.threshold},
            "ParetoFront": {**curve, "records_digest": "00" * 32},
            "Curve": {**curve, "records_digest": "00" * 32},
            "ExitLayout.exits": {"candidate": [0, 0]},
            "ExitRecords.from_cascade": {"confidence": [[0.5, 0.6]], "score": [[1, 0], [1, 1]]},
            "SampleCosts": {
                "backbone": np.ones((3, 4)), "head": np.ones((4, 4)), "position": self.records.costs.position,
            },
            "SampleCosts.cascade": {"price": [[1.0, 2.0], [3.0, 4.0]]},
            "StoredRecords": {"confidence": self.stored.confidence, "score": self.stored.score},
            "DriftMonitor": {"max_accuracy_drop": 0.5},
            "DriftMonitor.update": {"position": [2], "confidence": [0.5]},
            "DriftMonitor.label": {"score": [1.0], "full_score": [1.0]},
            "Run.carry_out": {"solver": lambda run: None},
            "Run.bar": {"steps": [1]},
            "Comparison.plot": {"others": None},
            "Curve.plot": {"others": None, "held_out": None},
            "ParetoFront.plot": {"others": None, "held_out": None},
        }  # fmt: skip
        if self.torch:
            self.of |= self.torch.of
        if self.onnx:
            self.of |= self.onnx.of


def certified_by_hand(point: ds.OperatingPoint) -> ds.CertifiedPoint:
    """A point with a certificate, which so few samples would not give."""
    limit = ds.CertifiedLimit(
        name="max_accuracy_drop", limit=0.5, measured=0.1, bound=0.4, p_value=0.01, method="binomial"
    )
    certificate = ds.Certificate(
        limits=(limit,), confidence=0.95, n_samples=60, n_groups=None, n_tested=1, records_digest="00" * 32,
        search_digest="11" * 32, layout=point.config.layout,
    )  # fmt: skip
    figures = ("config", "accuracy", "cost", "relative_cost", "accuracy_drop", "disagreement")
    return ds.CertifiedPoint(**{name: getattr(point, name) for name in figures}, certificate=certificate)


def frame() -> Any:
    """A wide table of four exits."""
    import pandas as pd

    return pd.DataFrame({f"{kind}_{e}": [0.5, 1.0] for kind in ("confidence", "score") for e in range(4)})


class TorchRight:
    """The same for the runtime."""

    def __init__(self, right: Right) -> None:
        torch, runtime = import_module("torch"), import_module("dyce_search.runtime")
        torch.manual_seed(0)
        layers = [torch.nn.Linear(4, 8), torch.nn.Linear(8, 3)]
        heads = {"0": {"linear": torch.nn.Linear(8, 3)}}
        inputs = torch.randn(2, 4)
        model = runtime.EarlyExitModel(layers, heads=heads, example=inputs).eval()
        costs = runtime.count_macs(model, inputs)
        loader = [(inputs, torch.tensor([0, 1]))]
        records = runtime.record(model, loader, costs=costs, n_samples=2, progress=False)
        front = ds.search(records, solver="same_threshold", scores="observed")
        config = self.config = front[0].config
        model.load_front(front)
        model.save_heads(right.folder / "heads.safetensors")
        output = model(inputs)
        controller = runtime.BudgetController(model, relative_cost=1.0)
        history = runtime.train_heads(model, loader, epochs=1, progress=False)
        self.model, self.inputs, self.costs, self.loader = model, inputs, costs, loader
        self.instances = {type(one).__name__: one for one in (model, output, controller, history)}
        call = import_module("dyce_search.runtime.inputs").as_call(inputs)
        features = list(model.features(inputs)[0])
        shape = {"feature_shape": (8, 4, 4), "classes": 3}
        here = {"model": model, "costs": costs}
        weights = {name: value.clone() for name, value in model.heads.state_dict().items()}
        self.before = {"train_heads": lambda: model.heads.load_state_dict(weights)}
        self.of = {
            "BudgetController": {"model": model, "relative_cost": 1.0},
            "BudgetController.update": {"output": output},
            "EarlyExitModel": {"backbone": layers, "heads": heads},
            "EarlyExitModel.all_logits": {"inputs": [inputs]},
            "EarlyExitModel.features": {"inputs": [inputs]},
            "EarlyExitModel.forward": {"inputs": [inputs]},
            "EarlyExitModel.configure": {"config": config},
            "EarlyExitModel.load_front": {"front": front},
            "EarlyExitModel.load_heads": {"path": right.folder / "heads.safetensors"},
            "EarlyExitModel.logits_of": {"features": features, "call": call},
            "EarlyExitModel.observe": {"visit": lambda position, take: None, "call": call},
            "EarlyExitModel.read": {"logits": torch.zeros(2, 3), "exit_index": 0},
            "EarlyExitModel.set_budget": {"relative_cost": 1.0},
            "conv_head": shape, "linear_head": shape, "mlp_head": shape,
            "count_macs": {"model": model, "example_input": inputs},
            "measure_latency": {"model": model, "example_input": inputs, "repeats": 1, "warmup": 0},
            "heads_for": {
                "backbone": layers, "example_input": inputs, "positions": ["0"], "types": {"a": runtime.linear_head},
            },
            "record": {**here, "loader": loader, "n_samples": 2, "progress": False},
            "train_heads": {"model": model, "loader": loader, "epochs": 1, "progress": False},
            "export_onnx": {"model": model, "folder": right.folder / "bundle", "overwrite": True},
        }  # fmt: skip


class OnnxRight:
    """The same for serving."""

    def __init__(self, right: Right) -> None:
        runtime, serving = import_module("dyce_search.runtime"), import_module("dyce_search.serving")
        assert right.torch is not None
        folder, inputs = right.folder / "served", right.torch.inputs.numpy()
        runtime.export_onnx(right.torch.model, folder, costs=right.torch.costs)
        self.model, self.named = serving.StagedModel(folder), {"input": inputs}
        self.instances = {"StagedModel": self.model}
        self.of = {
            "StagedModel": {"folder": folder},
            "StagedModel.__call__": {"inputs": [inputs]},
            "StagedModel.all_logits": {"inputs": [inputs]},
            "StagedModel.configure": {"config": right.torch.config},
            "StagedModel.record": {"loader": [(inputs, [0, 1])]},
        }

    def named_inputs(self) -> Target:
        """A call with the network's input by name."""
        (name,), documented = self.named, type(self.model).__call__.__doc__ or ""
        return Target(f"StagedModel({name}=)", lambda: self.model, self.named, {name: npt.ArrayLike}, set(), documented)


LEFT_OUT = {
    "EarlyExitModel.compile": "compiles for a minute",
    "EarlyExitModel.native": "its checks are those of the constructor, behind a pass of the network",
    "EarlyExitModel.eval": "of PyTorch", "EarlyExitModel.extra_repr": "takes nothing",
}  # fmt: skip


ROOMS = ("dyce_search", "dyce_search.runtime", "dyce_search.serving", "solvers")


def targets(right: Right, rooms: Iterable[str] = ROOMS) -> list[Target]:
    """Every public function, constructor that checks, and method, of these rooms, and `search` with every solver.

    A class whose docstring names no error keeps what it is given, as the results of functions do: it is not called.
    Rooms whose packages are not installed have none.
    """
    found: list[Target] = []
    for room in rooms:
        if room == "solvers":
            found += solver_options(right)
        elif room == "dyce_search" or (right.torch if room == "dyce_search.runtime" else right.onnx):
            found += targets_of(import_module(room), right)
        if room == "dyce_search.serving" and right.onnx:
            found.append(right.onnx.named_inputs())
    return found


def solver_options(right: Right) -> Iterator[Target]:
    """`search` with each solver of the package, to be given that solver's own options."""
    for name in SOLVERS:
        hints = {
            option: hint for option, hint in types_of(find_solver(name)).items() if option not in ("run", "return")
        }
        given = {
            "records": right.records,
            "solver": name,
            "scores": "observed",
            "max_evaluations": 30,
            "progress": False,
        }
        yield Target(f"search({name})", lambda: ds.search, given, hints, documented=ds.search.__doc__ or "")


def targets_of(room: ModuleType, right: Right) -> Iterator[Target]:
    """Those of the names of one module."""
    for name in room.__all__:
        entry = getattr(room, name)
        if inspect.isfunction(entry):
            yield target(name, entry, lambda entry=entry: entry, right, "")
        elif inspect.isclass(entry) and not issubclass(entry, Exception):
            yield from of_class(name, entry, right)


def of_class(name: str, kind: type, right: Right) -> Iterator[Target]:
    """The constructor and the methods of a class."""
    if "Raises:" in (kind.__doc__ or ""):
        one = right.instances.get(name)
        if is_dataclass(kind) and one is not None and name not in right.of:
            right.of[name] = {each.name: getattr(one, each.name) for each in fields(kind) if each.init}
        yield target(name, kind.__init__, lambda: kind, right, kind.__doc__ or "")
    for attribute, member in inspect.getmembers(kind):
        function = getattr(member, "__func__", member)
        own = inspect.isfunction(function) and function.__module__.startswith("dyce_search")
        called = f"{name}.{attribute}"
        hidden = attribute.startswith("_") and attribute != "__call__"
        if hidden or not own or called in LEFT_OUT:
            continue
        if inspect.ismethod(member):  # a classmethod
            yield target(called, function, lambda member=member: member, right, "")
        else:
            assert name in right.instances, f"Right.instances needs a {name}, whose {attribute} is to be called"
            one = right.instances[name]
            yield target(called, function, lambda one=one, attribute=attribute: getattr(one, attribute), right, "")


def target(name: str, function: Any, make: Callable[[], Any], right: Right, more: str) -> Target:
    """What is called by that name, with right arguments for all that it needs."""
    own, given, hints, star = right.of.get(name, {}), {}, types_of(function), set()
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in ("self", "cls") or parameter.kind is inspect.Parameter.VAR_KEYWORD:
            hints.pop(parameter.name, None)
            continue
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            star.add(parameter.name)
        if parameter.default is None:
            hints[parameter.name] = typing.Union[hints.get(parameter.name, Any), None]  # noqa: UP007
        needed = parameter.default is parameter.empty
        if parameter.name in own or needed:
            assert parameter.name in own or parameter.name in right.by_name, (
                f"Right.by_name needs a value for {parameter.name!r}, which {name} takes, or Right.of one for {name}"
            )
            given[parameter.name] = own.get(parameter.name, right.by_name.get(parameter.name))
    given |= {key: value for key, value in own.items() if key not in given}  # of **options
    hints.pop("return", None)
    return Target(name, make, given, hints, star, f"{function.__doc__ or ''}{more}", right.before.get(name, dict))


def types_of(function: Any) -> dict[str, Any]:
    """The types of parameters; where some cannot be found without an import, Any for those."""
    parameters = inspect.signature(function).parameters
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError):
        known = {}
        for name, parameter in parameters.items():
            text = parameter.annotation
            known[name] = text if not isinstance(text, str) else Any
        return known
