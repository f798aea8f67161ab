"""Writes the golden fronts: `python -m tests.write_golden [SOLVER ...]`, after a change that is meant to alter them."""

import json
import sys
from pathlib import Path

import dyce_search as ds
from dyce_search.search import SOLVERS
from tests import observed

GOLDEN = Path(__file__).parent / "golden"
SHORT = dict.fromkeys(("differential_evolution", "cma_es", "nsga2", "nsga3", "tpe", "random"), 60)  # they never end


def golden_content(records, solver):
    """About twenty points of a solver's front, the last among them."""
    front = observed.search(records, solver=solver, seed=0, max_evaluations=SHORT.get(solver))
    kept = sorted({*range(0, len(front), max(1, len(front) // 20)), len(front) - 1})
    fields = ("candidate", "threshold", "accuracy", "cost")
    content = {"solver": solver, "seed": 0, "points": len(front)}
    content |= {field: getattr(front, field)[kept].tolist() for field in fields}
    return json.loads(json.dumps(content).replace("-Infinity", "-1e39"))  # -inf in float32, a number in JSON


def main(solvers):
    from tests.conftest import shrink

    records = shrink(ds.load_example(), positions={2: 2, 6: 1, 10: 2}, samples=300)
    GOLDEN.mkdir(exist_ok=True)
    for solver in solvers or SOLVERS:
        text = json.dumps(golden_content(records, solver))
        (GOLDEN / f"{solver}.json").write_text(text.replace('], "', '],\n "') + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
