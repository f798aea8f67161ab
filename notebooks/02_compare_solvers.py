# %% [markdown]
# # Compare solvers
#
# Every search here works on the same records and hands in the same thing, so they can be compared on equal terms:
# the rules that papers use, general optimisers, DyCE's own searches, and this library's default.
#
# The method is DyCE (Wang et al. 2024, [arXiv 2403.01695](https://arxiv.org/abs/2403.01695)). Install it from a clone:
# `pip install .`.

# %%
import os

import dyce_search as ds

QUICK = os.environ.get("DYCE_SEARCH_QUICK") == "1"  # a smaller budget, for the tests
records, test = ds.load_example("search"), ds.load_example("test")

# %% [markdown]
# ## One budget for all
#
# A configuration that is measured against all samples counts one evaluation. What depends on chance runs with two
# seeds, and the table has medians.

# %%
families = ["coordinate_descent", "same_threshold", "exit_shares", "differential_evolution", "cma_es"]
families += ["nsga2", "nsga3", "random"]
budget, seeds = (300, [0]) if QUICK else (3000, [0, 1])
comparison = ds.compare(records, solvers=families, test=test, max_evaluations=budget, seeds=seeds)
comparison

# %% [markdown]
# The hypervolume is the area under a front: 1 would be all of the accuracy for nothing. `test_hypervolume`, by which
# the table is sorted, is what the configurations deliver on other samples, `hypervolume` what the front promises.
# `relative_cost_at_1` is what the network costs when it may lose one point of accuracy, as promised.

# %%
table = comparison.to_frame().set_index("solver")
columns = ["test_hypervolume", "hypervolume", "relative_cost_at_0.5", "relative_cost_at_1", "points", "evaluations"]
table[columns].round(4)

# %% [markdown]
# ## The fronts
#
# A panel each: how many points of accuracy a front lies below the best of all at the same cost. They differ most where
# it matters, at small losses of accuracy.

# %%
ax = comparison.plot()

# %% [markdown]
# ## Anytime curves
#
# What would have been found, had the search been stopped earlier? The default solver hands in what it has when it
# ends, so its curve is one step.

# %%
ax = comparison.plot_anytime(over="evaluations")

# %%
ax = comparison.plot_anytime(over="seconds")

# %% [markdown]
# ## DyCE's own searches
#
# They look for one point at each value of lambda, the weight of accuracy against cost, and take a thousand
# evaluations or many more for it. So they run without a budget here, with ten values.

# %%
lambdas = [0.5, 0.7, 0.9] if QUICK else [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
default = ds.search(records)
dyce = {name: ds.search(records, solver=name, lambdas=lambdas) for name in ("single_pass", "iterative")}
for front in (default, *dyce.values()):
    how = front.provenance
    print(f"{how.solver:18} {len(front):4} points, {how.evaluations:7,} evaluations")

# %%
ax = default.plot(label="coordinate_descent", others=dyce, static_exits=False)

# %% [markdown]
# ## A better start
#
# A general optimiser can start from the front of another solver, and gets further with the same number of trials.

# %%
trials = 300 if QUICK else 2000
fronts = {
    "nsga2": ds.search(records, solver="nsga2", max_evaluations=trials),
    "nsga2 from exit_shares": ds.search(
        records, solver="nsga2", max_evaluations=trials, warm_start=ds.search(records, solver="exit_shares")
    ),
    "coordinate_descent": default,
}
for name, front in fronts.items():
    at_one = front.select(max_accuracy_drop=0.01).relative_cost
    print(f"{name:22} hypervolume {front.hypervolume():.4f}, relative cost at one point {at_one:.4f}")

# %% [markdown]
# ## How far could any rule go?
#
# Beside the solvers stand rules that are no configurations: PABEE's patience, which counts equal answers, and an
# oracle that knows which exit will be right. No rule reaches the oracle, but it shows what is there to be had.

# %%
others = {"patience": ds.patience(records).non_dominated(), "per-sample oracle": ds.oracle(records)}
ax = default.plot(label="coordinate_descent", others=others)
