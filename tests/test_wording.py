"""Reprs: one line each, short, without arrays, and numbers as people write them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dyce_search as ds
from dyce_search.wording import LONGEST, PREFIXES, line, number, quantity

LONG = "a name\nof two lines, and of many more letters than anybody needs " * 3


def named(costs: ds.ExitCosts, name: str) -> ds.ExitCosts:
    """The same costs with exits, and a unit, of that name."""
    return ds.ExitCosts(
        backbone=costs.backbone, head=costs.head, position=costs.position, unit=name, names=[name] * costs.n_exits
    )


def one_of_each(folder: Path, name: str | None = None) -> list[Any]:
    """An object of every public type; exits are called `name`."""
    some = ds.load_example("test").subset(np.arange(400))
    costs = some.costs if name is None else named(some.costs, name)
    records = ds.ExitRecords(
        confidence=some.confidence,
        score=some.score,
        costs=costs,
        label=some.label,
        prediction=some.prediction,
        group=np.arange(400) // 4,
        measure=name,
        source=name or "",
    )
    front = ds.search(records, solver="exit_shares", scores="observed")
    held = ds.load_example().subset(np.arange(2000))
    held = ds.ExitRecords(confidence=held.confidence, score=held.score, costs=costs, measure=name)
    point = front.certify(held, max_accuracy_drop=0.2, max_relative_cost=1.1)
    rows = [
        {"query": n, "model": model, "score": n % 7 < good, "confidence": n % 5 / 4, "cost": cost}
        for n in range(70)
        for model, cost, good in ((name or "small", 1, 3), ("other", 2, 6), ("large", 9, 7))
    ]
    orders = ds.search_orders(ds.load_cascade(rows), effort="fast")
    config = front[len(front) // 2].config
    many = ds.SampleCosts(
        backbone=np.ones((3, 5)).cumsum(axis=0), head=np.zeros((3, 5)), position=[0, 1, 2], unit=name or "ms"
    )
    records.save(folder / "stored.npz", compress=False)
    comparison = ds.compare(records, solvers=["same_threshold", "exit_shares"], max_evaluations=20)
    check = ds.check_certificate(point, held.subset(np.arange(1000)))
    return [
        records,
        costs,
        many,
        records.layout,
        config,
        ds.ExitConfig(candidate=[0, -1], threshold=[-np.inf, 0.0]),
        front,
        front[0],
        point,
        point.certificate,
        point.certificate.limits[0],
        front.evaluate(held),
        front.provenance,
        check,
        check.limits[0],
        comparison,
        comparison.searches[0],
        orders,
        orders[0],
        ds.evaluate(records, config),
        ds.evaluate_many(records, [config]),
        ds.exit_auroc(records),
        ds.exit_flow(front, records),
        ds.exit_profile(records, config),
        ds.worst_groups(records, config),
        ds.marginal_value(records, effort="fast", by="type"),
        ds.optimism(front, held),
        ds.bootstrap_band(front, held, resamples=5),
        ds.oracle_gap(front, held),
        ds.reliability(records),
        ds.patience(records),
        ds.load_records(folder / "stored.npz", in_memory=False),
        ds.fit_temperatures(np.random.default_rng(0).normal(size=(46, 30, 4)), np.arange(30) % 4),
        ds.DriftMonitor(point, held),
        ds.Run(records),
    ]


@pytest.mark.parametrize("name", [None, LONG])
def test_every_public_type_has_a_repr_of_one_line(tmp_path: Path, name: str | None) -> None:
    found = one_of_each(tmp_path, name)
    types = {entry for entry in map(ds.__dict__.get, ds.__all__) if isinstance(entry, type)}
    assert {entry for entry in types if not issubclass(entry, Exception)} == {type(value) for value in found}
    for value in found:
        text = repr(value)
        assert text.startswith(f"{type(value).__name__}("), text
        assert text.endswith((")", "…)")), text
        assert "\n" not in text
        assert len(text) <= LONGEST, text
        for wrong in ("array(", "np.float", "dtype", "[0.", "object at"):
            assert wrong not in text, text


def test_reprs_say_what_matters(records: ds.ExitRecords) -> None:
    config = ds.ExitConfig(candidate=[1, -1], threshold=[0.25, 0.0])
    assert repr(config) == "ExitConfig(1 exit at 2 positions, 0: candidate 1 > 0.25)"
    assert repr(records.costs) == "ExitCosts(4 exits at 2 positions, whole model 4 MACs)"
    assert repr(ds.evaluate(records, config)).endswith("reach the final exit, 40 samples)")


def test_what_has_no_room_is_left_out() -> None:
    text = line("Name", *["part"] * 100)
    assert len(text) <= LONGEST
    assert text.endswith("…)")


@given(st.floats(1, 1e20))
def test_prefixes_keep_the_number(value: float) -> None:
    digits, *prefix = quantity(value, "MACs").removesuffix(" MACs").split()
    power = PREFIXES.index(prefix[0]) if prefix else 0
    assert float(digits.replace(",", "")) * 1000**power == pytest.approx(value, rel=5.1e-3)
    assert len(digits) <= 5


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999.7, "999.7"), (1e-7, "1e-07"), (-12345.6, "-12,346"), (np.float64("nan"), "nan"), (-np.inf, "-inf")],
)
def test_numbers_are_written_as_people_write_them(value: float, text: str) -> None:
    assert number(value) == text


def test_only_what_is_counted_gets_a_prefix() -> None:
    assert quantity(999_999, "MACs") == "1 M MACs"
    assert quantity(2_500_000, "tokens") == "2.5 M tokens"
    assert quantity(2_500_000, "ms") == "2,500,000 ms"
    assert quantity(0.00123, "USD") == "0.00123 USD"
    assert quantity(4.5, "") == "4.5"
