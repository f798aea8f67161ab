# %% [markdown]
# # From a backbone to a dial
#
# This notebook takes a PyTorch network that knows nothing of early exits, and ends with a dial: one number that
# says how much compute it may spend, turned while it serves.
#
# The method is DyCE (Wang et al. 2024, [arXiv 2403.01695](https://arxiv.org/abs/2403.01695)). Install it from a clone:
# `pip install '.[torch]'`.

# %%
import os
from functools import partial

import pandas as pd
import torch
from images import load_images
from torch import nn
from torch.utils.data import DataLoader

import dyce_search as ds
from dyce_search import runtime

QUICK = os.environ.get("DYCE_SEARCH_QUICK") == "1"  # few images, for the tests
torch.set_num_threads(1)
_ = torch.manual_seed(0)

# %% [markdown]
# ## A network
#
# Images of clothes (Fashion-MNIST), in four parts: to train on, to search on, to certify on, to serve. Nothing is
# used for two purposes.

# %%
sizes = (3000, 500, 500, 500) if QUICK else (15_000, 8_000, 5_000, 5_000)
train, search, calibration, service = (DataLoader(part, batch_size=50) for part in load_images(*sizes))


def block(inputs, outputs, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs), nn.ReLU())


backbone = nn.Sequential(
    *(block(1, 16), block(16, 16), block(16, 16)),
    *(block(16, 32, stride=2), block(32, 32), block(32, 32)),
    *(block(32, 64, stride=2), block(64, 64), block(64, 64)),
    *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
)
epochs = 1 if QUICK else 4
optimizer = torch.optim.Adam(backbone.parameters())
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=epochs * len(train))
for _ in range(epochs):
    for images, labels in train:
        optimizer.zero_grad()
        nn.functional.cross_entropy(backbone(images), labels).backward()
        optimizer.step()
        schedule.step()

# %% [markdown]
# ## Attach exits
#
# Exits hang on modules by name, and the backbone stays as it is. Here seven of the nine blocks get two types of
# exit each.

# %%
heads = runtime.heads_for(
    backbone,
    torch.zeros(1, 1, 28, 28),
    positions=[str(k) for k in range(1, 8)],
    types={
        "linear": partial(runtime.linear_head, pool=2),
        "mlp": partial(runtime.mlp_head, hidden=64, pool=4),
    },
)
model = runtime.EarlyExitModel(backbone, heads).eval()
print(*model.exit_names)

# %% [markdown]
# ## Train them
#
# All heads learn in the same passes over the data, from the labels and from what the final exit says.

# %%
history = runtime.train_heads(model, train, epochs=1 if QUICK else 3, learning_rate=3e-3)
pd.DataFrame(history.loss, columns=history.names).rename_axis("epoch").T.round(3)

# %% [markdown]
# ## Record and search
#
# Costs are counted in multiply-adds, and every exit answers every image once. From here on, the search needs no
# network.

# %%
costs = runtime.count_macs(model, torch.zeros(1, 1, 28, 28))
records = runtime.record(model, search, costs=costs)
records

# %%
front = ds.search(records)
calibration_records = runtime.record(model, calibration, costs=costs)
ax = front.plot(held_out=front.evaluate(calibration_records))

# %% [markdown]
# ## A point with a guarantee
#
# On images that the search has not seen, tests find the cheapest point that loses at most two points of accuracy,
# and this holds with a confidence of 95 %.

# %%
point = front.certify(calibration_records, max_accuracy_drop=0.1 if QUICK else 0.02, confidence=0.95)
print(point)

# %% [markdown]
# ## Serve
#
# The model takes the point, and samples leave where they are sure. They do so exactly where the search said they
# would.

# %%
model.configure(point)
with torch.no_grad():
    positions = torch.cat([model(images).position for images, _ in search])

expected = ds.evaluate(records, point.config, per_sample=True)
print((positions.numpy() == expected.exit_position).all())
ax = ds.plot_config(records, point.config)

# %% [markdown]
# ## Turn the dial
#
# With the whole front loaded, a budget is one call, from any thread, between two batches. Here is what the network
# does at each, on the images to serve, with the CPU's time on one core.

# %%
import time


@torch.no_grad()
def serve(batches):
    """Share of right answers, and seconds of the CPU."""
    started, right = time.process_time(), 0
    for images, labels in batches:
        right += int((model(images).logits.argmax(dim=1) == labels).sum())
    return right / len(batches.dataset), time.process_time() - started


model.load_front(front)
model.configure(None)
serve(service)  # a first time, so that nobody pays for it
accuracy, whole = serve(service)
rows = [{"budget": 1.0, "accuracy": accuracy, "relative time": 1.0}]
for budget in (0.5, 0.4, 0.3, 0.2):
    model.set_budget(relative_cost=budget)
    accuracy, seconds = serve(service)
    rows.append({"budget": budget, "accuracy": accuracy, "relative time": seconds / whole})
pd.DataFrame(rows).set_index("budget").round(3)

# %% [markdown]
# ## Hold the budget when inputs change
#
# A front knows the cost of the samples that it was searched on. On harder ones fewer leave early, and the same
# configuration costs more. A controller watches what is spent and turns the dial.

# %%
from dyce_search.drawing.style import COLORS
from dyce_search.evaluation.evaluate import prices

budget = 0.28


def stream():
    """The images to serve, the later half of them noisy."""
    for k, (images, _) in enumerate(service):
        yield images + (0.5 if 2 * k >= len(service) else 0.0) * torch.randn(images.shape)


def spent(answer):
    """Mean cost of a batch, relative to the whole network."""
    price_of_leaving = prices(costs, answer.config.exits(costs.layout)[None])[0]  # (P+1,)
    return price_of_leaving[answer.position].mean() / costs.baseline


held, fixed = [], []
with torch.no_grad():
    model.set_budget(relative_cost=budget)
    for images in stream():
        fixed.append(spent(model(images)))
    controller = runtime.BudgetController(model, relative_cost=budget, window=500)
    for images in stream():
        answer = model(images)
        held.append(spent(answer))
        controller.update(answer)

ax = ds.new_axes()
for name, values, color in (
    ("fixed point", fixed, COLORS[1]),
    ("controller", held, COLORS[0]),
):
    ax.plot(pd.Series(values).rolling(5, min_periods=1).mean(), label=name, color=color)
ax.axhline(budget, color="black", lw=0.8, ls=":", label="budget")
ax.axvline(len(service) / 2, color="0.7", lw=0.8)
ax.set(xlabel="batch (the later half is noisy)", ylabel="mean cost, relative")
_ = ax.legend()

# %% [markdown]
# ## Milliseconds instead of multiply-adds
#
# Whatever has a price can be searched for. Measured times come from the machine that will serve, with its batch
# size; the records stay the same.

# %%
from dataclasses import replace

timed = replace(records, costs=runtime.measure_latency(model, next(iter(service))[0]))
print(ds.search(timed).select(max_accuracy_drop=0.01))
