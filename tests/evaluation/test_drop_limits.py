"""A drop of accuracy from 1 on is a hundred points, which nobody means: it is refused wherever a drop is limited."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dyce_search as ds

CALLS: dict[str, Callable[[ds.ExitRecords, ds.ParetoFront, float, Path], Any]] = {
    "select": lambda records, front, drop, folder: front.select(max_accuracy_drop=drop),
    "select with a cost": lambda records, front, drop, folder: front.select(max_accuracy_drop=drop, max_cost=9e9),
    "certify": lambda records, front, drop, folder: front.certify(records, max_accuracy_drop=drop),
    "search": lambda records, front, drop, folder: ds.search(records, max_accuracy_drop=drop, effort="fast"),
    "marginal_value": lambda records, front, drop, folder: ds.marginal_value(records, max_accuracy_drop=drop),
    "report": lambda records, front, drop, folder: ds.report(front, records, folder / "r.html", max_accuracy_drop=drop),
    "explore": lambda records, front, drop, folder: front.explore(folder / "e.html", max_accuracy_drop=drop),
    "DriftMonitor": lambda records, front, drop, folder: ds.DriftMonitor(front[0], records, max_accuracy_drop=drop),
}


@pytest.mark.parametrize("drop", [1, 1.0, 2, np.float64(5), float("nan"), "0.01", True], ids=repr)
@pytest.mark.parametrize("call", CALLS)
def test_drops_from_one_on_are_refused(call: str, drop: float, small_example: ds.ExitRecords, tmp_path: Path) -> None:
    front = ds.ParetoFront.from_configs(small_example, [ds.ExitConfig.none(small_example.costs.n_positions)])
    with pytest.raises(ds.DyceError, match=r"0\.01 is one point|max_accuracy_drop must be a finite number"):
        CALLS[call](small_example, front, drop, tmp_path)
    assert not list(tmp_path.iterdir())
