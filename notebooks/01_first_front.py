# %% [markdown]
# # A first front
#
# An early-exit network has small classifiers along its way: a sample leaves at the first one that is sure enough.
# Which of them to use, and how sure is sure enough, decides what the network costs and how often it is right. This
# library finds the good answers, from what every exit said on a set of samples. Neither the network nor the
# samples are needed.
#
# The method is DyCE (Wang et al. 2024, [arXiv 2403.01695](https://arxiv.org/abs/2403.01695)). Install it from a clone:
# `pip install .`.

# %%
import dyce_search as ds

# %% [markdown]
# ## Load
#
# Records hold the confidence of every exit on every sample, and whether it was right. The example is a ResNet of
# 15 blocks on Fashion-MNIST, with three types of exit after every block. Your own come from `ds.load_records`, or
# from arrays (notebook 04).

# %%
records = ds.load_example("search")
records

# %% [markdown]
# The later an exit, the better it is and the more it costs.

# %%
import pandas as pd

costs = records.costs
exits = pd.DataFrame(
    {"type": costs.names, "accuracy": records.exit_accuracy, "relative cost": costs.alone / costs.baseline},
    index=pd.Index(costs.position, name="position"),
)
exits.iloc[[0, 1, 2, 21, 22, 23, 45]].round(3)

# %% [markdown]
# ## Search
#
# One search gives the whole trade-off: configurations that no other one beats in both accuracy and cost.

# %%
front = ds.search(records)
front

# %% [markdown]
# ## Look
#
# The front's figures are expected ones: a search on what was observed finds what was lucky, so scores are learned
# from other samples first. What the same configurations deliver on samples that played no part is the thin line; the
# gap between the two is shaded. The inset shows the whole range.

# %%
test = ds.load_example("test")
held_out = front.evaluate(test)

ax = front.plot(held_out=held_out)

# %% [markdown]
# ## Choose
#
# What does a drop of one point of accuracy buy? The cheapest configuration that loses no more:

# %%
point = front.select(max_accuracy_drop=0.01)
print(point)

# %% [markdown]
# Most samples need a small part of the network. Above each bar is the confidence that it takes to leave there.

# %%
ax = ds.plot_config(test, point.config)

# %% [markdown]
# These are the honest figures, on images that the search has not seen:

# %%
result = ds.evaluate(test, point.config)
print(f"accuracy {result.accuracy:.4f}, {100 * result.accuracy_drop:+.2f} points below the whole network")
print(f"{100 * result.relative_cost:.1f} % of its multiply-adds")

# %% [markdown]
# The promise was one point, and on other images it is about that. Notebook 05 measures how far such promises hold,
# and shows how to get a guarantee.
#
# ## Save
#
# A configuration is a small JSON that a person can read, and the runtime too (notebook 03). The front can be kept
# as well, to choose another point from it later.

# %%
from pathlib import Path

out = Path("out")
out.mkdir(exist_ok=True)
point.config.save(out / "config.json")
front.save(out / "front.json")

assert ds.ExitConfig.load(out / "config.json") == point.config
cheaper = ds.ParetoFront.load(out / "front.json").select(max_relative_cost=0.12)
print(cheaper)
