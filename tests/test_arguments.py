"""Every public function checks what it is given: a wrong type is an error that names the argument."""

import inspect
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import dyce_search as ds

WRONG = ("x", None, 3)
FILE = r"|cannot (read|write)"  # a path of the right type that leads nowhere


class Call:
    """A function with positional arguments that it takes, by name, and for some of them what is not wrong at all.

    Args:
        function: to call.
        right: the arguments.
        takes: by argument: those of `WRONG` that it takes.
        options: keyword arguments that the call needs.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        right: dict[str, Any],
        takes: dict[str, tuple[Any, ...]] | None = None,
        **options: Any,
    ) -> None:
        self.function, self.right, self.takes, self.options = function, right, takes or {}, options


def calls() -> dict[str, Call]:
    """Every public function, and the methods that take records, configurations, fronts or files."""
    records = ds.load_example("test").subset(np.arange(200))
    front = ds.search(records, solver="exit_shares")
    config = front[0].config
    both, measured = {"records": records, "config": config}, {"front": front, "records": records}
    comparison = ds.compare(records, solvers=["same_threshold"], max_evaluations=10)
    certified = front.certify(ds.load_example().subset(np.arange(500)), max_accuracy_drop=0.2)
    rows = [
        {"query": query, "model": model, "score": 1, "confidence": query, "cost": 1}
        for query in range(3)
        for model in ("a", "b")
    ]
    cascade = ds.load_cascade(rows)
    path = {"path": 0}
    alone = {
        name: Call(getattr(ds, name), {"records": records})
        for name in (
            "compare",
            "exit_auroc",
            "expected_scores",
            "marginal_value",
            "objective",
            "oracle",
            "patience",
            "reliability",
            "search",
            "static_exits",
        )
    }
    of_a_front = {name: Call(getattr(ds, name), measured) for name in ("bootstrap_band", "exit_flow", "oracle_gap")}
    of_a_config = {name: Call(getattr(ds, name), both) for name in ("evaluate", "exit_profile", "worst_groups")}
    return {
        **alone,
        **of_a_front,
        **of_a_config,
        "check_certificate": Call(ds.check_certificate, {"point": certified, "records": records}),
        "evaluate_many": Call(ds.evaluate_many, {"records": records, "configs": [config]}),
        "fit_temperatures": Call(ds.fit_temperatures, {"logits": np.zeros((1, 2, 2)), "labels": [0, 1]}),
        "in_order": Call(ds.in_order, {"records": cascade, "models": ["b", "a"]}),
        "load_cascade": Call(ds.load_cascade, {"log": rows}),
        "load_example": Call(ds.load_example, {"part": "test"}),
        "load_records": Call(ds.load_records, path),
        "new_axes": Call(
            ds.new_axes, {"width": 6.4, "height": 4.4}, dict.fromkeys(("width", "height"), (3,)), theme="dark"
        ),
        "optimism": Call(ds.optimism, {"front": front, "held_out": records}),
        "plot_config": Call(ds.plot_config, {**both, "ax": None}, {"ax": (None,)}),
        "report": Call(ds.report, {**measured, **path}),
        "search_orders": Call(ds.search_orders, {"records": cascade}),
        "search_many": Call(ds.search_many, {"record_sets": [records]}),
        "synthetic_records": Call(
            ds.synthetic_records,
            {"n": 10, "positions": 2, "types": 1, "seed": 0},
            dict.fromkeys(("n", "positions", "types", "seed"), (3,)),
        ),
        "ParetoFront.from_configs": Call(ds.ParetoFront.from_configs, {"records": records, "configs": [config]}),
        "ParetoFront.evaluate": Call(front.evaluate, {"records": records}),
        "ParetoFront.certify": Call(front.certify, {"calibration": records}, max_accuracy_drop=0.1),
        "ParetoFront.explore": Call(front.explore, path),
        "ParetoFront.merge": Call(front.merge, {"fronts": front}),
        "ParetoFront.save": Call(front.save, path),
        "ParetoFront.load": Call(ds.ParetoFront.load, path),
        "ExitConfig.save": Call(config.save, path),
        "ExitConfig.load": Call(ds.ExitConfig.load, path),
        "ExitCosts.cascade": Call(ds.ExitCosts.cascade, {"price": [1.0, 2.0]}),
        "ExitCosts.save": Call(records.costs.save, path),
        "ExitCosts.load": Call(ds.ExitCosts.load, path),
        "ExitRecords.subset": Call(records.subset, {"index": [0]}),
        "ExitRecords.split": Call(records.split, {"fractions": 0.5}, seed=0),
        "ExitRecords.from_probs": Call(
            ds.ExitRecords.from_probs, {"probs": np.full((46, 2, 2), 0.5), "labels": [0, 1]}, costs=records.costs
        ),
        "ExitRecords.from_logits": Call(
            ds.ExitRecords.from_logits, {"logits": np.zeros((46, 2, 2)), "labels": [0, 1]}, costs=records.costs
        ),
        "ExitRecords.from_frame": Call(ds.ExitRecords.from_frame, {"frame": 0}, costs=records.costs),
        "ExitRecords.save": Call(records.save, path),
        "CertifiedPoint.load": Call(ds.CertifiedPoint.load, path),
        "Comparison.of": Call(comparison.of, {"solver": "same_threshold"}),
        "Comparison.plot": Call(comparison.plot_anytime, {"ax": None}, {"ax": (None,)}),
        "Comparison.save": Call(comparison.save, {"folder": 0}, {"folder": ("x",)}),
    }


def runtime_calls() -> dict[str, Call]:
    """Every public function of the runtime, its classes and what they take."""
    torch, runtime = import_module("torch"), import_module("dyce_search.runtime")
    layers = [torch.nn.Linear(4, 8), torch.nn.Linear(8, 3)]
    heads = {"0": {"linear": torch.nn.Linear(8, 3)}}
    model = runtime.EarlyExitModel(layers, heads=heads).eval()
    staged = runtime.EarlyExitModel(layers, heads=heads, example=torch.zeros(2, 4)).eval()
    inputs, shape = torch.zeros(2, 4), {"feature_shape": (8, 4, 4), "classes": 3}
    loader = [(inputs, torch.zeros(2, dtype=torch.int64))]
    heads_by_shape = {
        name: Call(getattr(runtime, name), shape, {"classes": (3,)})
        for name in ("conv_head", "linear_head", "mlp_head")
    }
    return {
        **heads_by_shape,
        "BudgetController": Call(runtime.BudgetController, {"model": model}, relative_cost=0.5),
        "EarlyExitModel": Call(runtime.EarlyExitModel, {"backbone": layers, "heads": heads}),
        "EarlyExitModel.configure": Call(model.configure, {"config": None}, {"config": (None,)}),
        "EarlyExitModel.load_front": Call(model.load_front, {"front": 0}),
        "count_macs": Call(runtime.count_macs, {"model": model, "example_input": inputs}),
        "heads_for": Call(
            runtime.heads_for,
            {"backbone": layers, "example_input": inputs},
            {"example_input": WRONG},  # what a backbone takes is its own affair
            positions=["0"],
            types={"linear": runtime.linear_head},
        ),
        "export_onnx": Call(runtime.export_onnx, {"model": staged, "folder": 0}, {"folder": ("x",)}),
        "measure_latency": Call(runtime.measure_latency, {"model": model, "example_input": inputs}, repeats=1),
        "record": Call(
            runtime.record, {"model": model, "loader": loader}, costs=runtime.count_macs(model, inputs), progress=False
        ),
        "train_heads": Call(
            runtime.train_heads, {"model": model, "loader": loader, "epochs": 1}, {"epochs": (3,)}, progress=False
        ),
    }


def public_functions(room: ModuleType) -> list[str]:
    return sorted(name for name in room.__all__ if inspect.isfunction(getattr(room, name)))


CALLS = calls()
RUNTIME_CALLS = runtime_calls() if find_spec("torch") else {}
CASES = [
    pytest.param(call, argument, value, id=f"{name}({argument}={value!r})")
    for name, call in {**CALLS, **RUNTIME_CALLS}.items()
    for argument in call.right
    for value in WRONG
    if value not in call.takes.get(argument, ())
]


@pytest.mark.parametrize(("call", "argument", "value"), CASES)
def test_a_wrong_type_names_the_argument(
    call: Call, argument: str, value: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()  # so that it is no file, and none can be written there
    given = [value if name == argument else right for name, right in call.right.items()]
    words = rf"\b{argument.removesuffix('s')}s?\b{FILE if argument == 'path' else ''}"
    with pytest.raises(ds.DyceError, match=words):
        call.function(*given, **call.options)


def test_every_public_function_is_called() -> None:
    assert public_functions(ds) == sorted(name for name in CALLS if "." not in name)
    if RUNTIME_CALLS:
        called = set(public_functions(import_module("dyce_search.runtime")))
        assert called <= set(RUNTIME_CALLS)
