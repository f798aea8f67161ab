# %% [markdown]
# # Your own early-exit work
#
# The solvers know nothing of networks. They need a confidence and a score for each exit and sample, and what each
# exit costs; where these come from is yours to say. So is the solver.
#
# The method is DyCE (Wang et al. 2024, [arXiv 2403.01695](https://arxiv.org/abs/2403.01695)). Install it from a clone:
# `pip install '.[torch]'`.

# %%
from pathlib import Path

import numpy as np

import dyce_search as ds

# %% [markdown]
# ## Three arrays and a price list
#
# Here are the answers of a classifier with one exit after each of its 15 blocks, as plain NumPy arrays. Rows are
# exits in the order of the network, the last is the final one; columns are samples.

# %%
example = ds.load_example("search")
mine = np.flatnonzero((np.array(example.costs.names) == "gap2_mlp64") | (example.costs.position == 15))

confidence = example.confidence[mine]  # (16, 15000): any finite numbers, higher is surer
answer = example.prediction[mine]
label = example.label
right = answer == label

# %% [markdown]
# Costs can be in any unit. For each block it is what the backbone has used up to there, for each exit its own.

# %%
microjoules = 4.6e-6  # a multiply-add
costs = ds.ExitCosts(
    backbone=example.costs.backbone * microjoules,
    head=example.costs.head[mine] * microjoules,
    position=range(16),
    unit="µJ",
)
records = ds.ExitRecords(confidence=confidence, score=right, costs=costs, label=label)
search, held_out = records.split(0.5, seed=0)
search

# %%
front = ds.search(search)
ax = front.plot(held_out=front.evaluate(held_out), selected=front.select(max_cost=12))

# %% [markdown]
# ## A score of your own
#
# A score is any quality from 0 to 1. Say that to take a shirt for a pullover is half as bad as to take it for a
# boot. Then a sample may leave earlier where the exits still waver between shirt and pullover.

# %%
tops = np.isin(label, [0, 2, 4, 6]) & np.isin(answer, [0, 2, 4, 6])  # T-shirt, pullover, coat, shirt
graded = ds.ExitRecords(confidence=confidence, score=np.where(right, 1.0, 0.5 * tops), costs=costs, label=label)
graded_search, graded_held_out = graded.split(0.5, seed=0)

for name, seen, unseen in (("right or wrong", search, held_out), ("graded", graded_search, graded_held_out)):
    point = ds.search(seen).select(max_accuracy_drop=0.01)
    found = ds.evaluate(unseen, point.config)
    print(f"{name:14}  {found.cost:5.2f} µJ, and held-out a drop of {found.accuracy_drop:.4f} in the mean score")

# %% [markdown]
# ## A confidence of your own
#
# An exit that says "shirt" is less often right than one that says "boot". So here is an idea: add, to the log-odds
# of the softmax, the log-odds of being right with that answer. It is counted on the samples that are searched on.


# %%
def log_odds(p):
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


seen = np.random.default_rng(0).permutation(15_000) < 7_500
right_when = np.array([[right[e, seen & (answer[e] == k)].mean() for k in range(10)] for e in range(16)])
own = log_odds(confidence) + log_odds(np.take_along_axis(right_when, answer, axis=1))

# %% [markdown]
# Whether an idea is worth something takes three lines to find out. This one is not: the softmax had known it, and
# now it counts twice.

# %%
for name, sure in (("softmax", confidence), ("own idea", own)):
    records = ds.ExitRecords(confidence=sure, score=right, costs=costs, label=label)
    curve = ds.search(records.subset(seen)).evaluate(records.subset(~seen))
    print(f"{name:8}  hypervolume {curve.hypervolume():.4f} held-out")

# %% [markdown]
# ## MSDNet and its descendants
#
# Their `logits_single.pth` and `flops.pth` are read as they are. Here such files are made first, with the outputs
# of three classifiers of rising strength for a validation and a test part.

# %%
import torch

out = Path("out")
out.mkdir(exist_ok=True)
generator = torch.Generator().manual_seed(0)
target = torch.randint(0, 10, (4000,), generator=generator)
strength = torch.tensor([1.5, 3.0, 5.0])[:, None, None]
outputs = torch.randn(3, 4000, 10, generator=generator) + strength * torch.nn.functional.one_hot(target, 10)
torch.save((outputs[:, :2000], target[:2000], outputs[:, 2000:], target[2000:]), out / "logits_single.pth")
torch.save([15e6, 25e6, 40e6], out / "flops.pth")

# %%
validation = ds.load_records(out / "logits_single.pth", costs=out / "flops.pth", part="val")
test = ds.load_records(out / "logits_single.pth", costs=out / "flops.pth", part="test")
budgeted = ds.search(validation, solver="exit_shares").evaluate(test)  # MSDNet's own rule
ax = ds.search(validation).evaluate(test).plot(label="search", others={"MSDNet's rule": budgeted})

# %% [markdown]
# ## A cascade of whole models
#
# Models that share nothing, small to large, each with its full price: who is passed on pays for all that it was
# given to. Here three of the exits stand in for such models.

# %%
models = [0, 5, 15]
cascade = ds.ExitRecords.from_cascade(
    price=costs.alone[models],
    confidence=confidence[models],
    prediction=answer[models],
    label=label,
    unit="µJ",
    names=["small", "medium", "large"],
)
point = ds.search(cascade).select(max_accuracy_drop=0.005)
print(point)
ax = ds.plot_config(cascade, point.config)

# %% [markdown]
# ## A solver of your own
#
# A solver is a function that gets a `Run`: the records, a random generator and a budget. This one climbs a hill:
# it changes one exit at random, and keeps what improves a weighted sum of accuracy and cost.


# %%
def hill_climb(run, *, weight=0.9):
    costs = run.records.costs
    exits = np.full((1, costs.n_positions), -1, np.int32)
    threshold = np.zeros((1, costs.n_positions), np.float32)
    best = -np.inf
    while True:  # until the budget ends it
        tried, level = exits.copy(), threshold.copy()
        p = run.rng.integers(costs.n_positions)
        tried[0, p] = run.rng.choice([-1, *range(costs.first[p], costs.first[p + 1])])
        level[0, p] = run.rng.choice(run.records.confidence[tried[0, p]])
        found = run.evaluate(tried, level)
        value = weight * found.accuracy[0] - (1 - weight) * found.relative_cost[0]
        if value > best:
            best, exits, threshold = value, tried, level


# %% [markdown]
# Does it keep all that a solver has to? `SolverContract` tests it: valid fronts on awkward records, the same from
# the same seed, budgets, inputs left alone. In a test file pytest finds the class by itself.

# %%
from dyce_search.testing import SolverContract


class TestHillClimb(SolverContract):
    solver = hill_climb
    max_evaluations = 100


tests = [name for name in dir(TestHillClimb) if name.startswith("test_")]
for name in tests:
    getattr(TestHillClimb(), name)()
print(f"{len(tests)} tests passed")

# %% [markdown]
# Now it takes part like any other, under the same budget.

# %%
solvers = [hill_climb, "exit_shares", "random", "coordinate_descent"]
comparison = ds.compare(search, solvers=solvers, test=held_out, max_evaluations=1000)
comparison.to_frame().set_index("solver")[["test_hypervolume", "hypervolume", "relative_cost_at_1", "points"]].round(4)

# %%
ax = comparison.plot_anytime()
