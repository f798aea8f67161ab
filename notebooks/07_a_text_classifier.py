# %% [markdown]
# # A text classifier that reads as far as it has to
#
# A transformer like BERT, on padded texts of all lengths: which library does a paragraph of documentation describe?
# The texts are the docstrings of five libraries that are installed anyway, so this is real prose, and nothing is
# downloaded. Exits hang behind its layers, and easy paragraphs leave early.
#
# The method is DyCE (Wang et al. 2024, [arXiv 2403.01695](https://arxiv.org/abs/2403.01695)). Install it from a clone:
# `pip install '.[torch]'`.

# %%
import os

import pandas as pd
import torch
from texts import LIBRARIES, load_texts
from torch import nn

import dyce_search as ds
from dyce_search import runtime

QUICK = os.environ.get("DYCE_SEARCH_QUICK") == "1"  # few texts, for the tests
torch.set_num_threads(1)
_ = torch.manual_seed(0)

# %% [markdown]
# ## Texts
#
# Four parts: to train on, to search on, to certify on, to serve. A batch is a mapping, as those of Hugging Face's
# libraries are: numbers of words, a mask that is 0 where a text is padded, and labels. Each batch is as long as its
# longest text.

# %%
sizes = (1500, 300, 300, 300) if QUICK else (8_000, 3_000, 2_000, 2_000)
train, search, calibration, service = load_texts(*sizes)
batch = next(iter(search))
pd.DataFrame({name: [tuple(value.shape)] for name, value in batch.items()}, index=["shape"])

# %% [markdown]
# ## A network
#
# Six layers of attention and a linear layer on the first word's vector. It knows nothing of exits.


# %%
class Reader(nn.Module):
    def __init__(self, words=3000, width=64, layers=6):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(64, width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 2 * width, batch_first=True, norm_first=True, activation="gelu")
            for _ in range(layers)
        )
        self.norm, self.fc = nn.LayerNorm(width), nn.Linear(width, len(LIBRARIES))

    def forward(self, input_ids, attention_mask):
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        tokens = self.words(input_ids) + self.places(places)
        for layer in self.layers:
            tokens = layer(tokens, src_key_padding_mask=attention_mask == 0)
        shown = attention_mask.unsqueeze(2)
        return self.fc(self.norm((tokens * shown).sum(1) / shown.sum(1)))


backbone = Reader()
epochs = 1 if QUICK else 3
optimizer = torch.optim.AdamW(backbone.parameters(), weight_decay=0.05)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=epochs * len(train))
for _ in range(epochs):
    for texts in train:
        labels = texts.pop("labels")
        optimizer.zero_grad()
        nn.functional.cross_entropy(backbone(**texts), labels).backward()
        optimizer.step()
        schedule.step()

# %% [markdown]
# ## Attach exits
#
# The network is traced once for texts of all lengths, cut behind each of its layers, and checked: does a text's
# answer depend on the others in the batch? The heads average over the words that the mask shows.

# %%
example = {name: value for name, value in batch.items() if name != "labels"}
heads = runtime.heads_for(
    backbone.eval(), example, positions=[f"layers.{k}" for k in range(5)], types={"linear": runtime.linear_head}
)
lengths = {"input_ids": {1: "length"}, "attention_mask": {1: "length"}}
model = runtime.EarlyExitModel(backbone, heads, example=example, dynamic=lengths).eval()
print(model.compacts, *model.exit_names)
print(model.heads[0])

# %% [markdown]
# ## Train them, record, search

# %%
history = runtime.train_heads(model, train, epochs=2 if QUICK else 4, learning_rate=3e-3)
costs = runtime.count_macs(model, example)
records = runtime.record(model, search, costs=costs)
front = ds.search(records)
calibration_records = runtime.record(model, calibration, costs=costs)
ax = front.plot(held_out=front.evaluate(calibration_records))

# %% [markdown]
# What each exit alone would be right on, and what it costs:

# %%
alone = {"accuracy": records.exit_accuracy, "cost": (costs.backbone / costs.baseline)[costs.position]}
pd.DataFrame(alone, index=records.layout.names).round(3)

# %% [markdown]
# ## A point with a guarantee, and service
#
# Texts leave where the search said they would, whoever else is in the batch and however long it is.

# %%
point = front.certify(calibration_records, max_accuracy_drop=0.1 if QUICK else 0.02, confidence=0.95)
print(point)
model.configure(point)
with torch.no_grad():
    positions = torch.cat([model({k: v for k, v in texts.items() if k != "labels"}).position for texts in search])
expected = ds.evaluate(records, point.config, per_sample=True)
print((positions.numpy() == expected.exit_position).all())
ax = ds.plot_config(records, point.config)

# %% [markdown]
# ## What it saves
#
# Processor time of one core on the texts to serve, with the whole network and at some budgets.

# %%
import time


@torch.no_grad()
def serve(loader):
    """Share of right answers, and seconds of the CPU in the model."""
    seconds, right, count = 0.0, 0, 0
    for texts in loader:
        labels = texts.pop("labels")
        started = time.process_time()
        logits = model(texts).logits
        seconds += time.process_time() - started
        right, count = right + int((logits.argmax(dim=1) == labels).sum()), count + len(labels)
    return right / count, seconds


model.load_front(front)
model.configure(None)
serve(service)  # a first time, so that nobody pays for it
accuracy, whole = serve(service)
rows = [{"budget": 1.0, "accuracy": accuracy, "relative time": 1.0}]
cheapest = float(front.relative_cost[0])
for budget in (0.8, 0.6, 0.5, 0.4):
    if budget > cheapest:
        model.set_budget(relative_cost=budget)
        accuracy, seconds = serve(service)
        rows.append({"budget": budget, "accuracy": accuracy, "relative time": seconds / whole})
pd.DataFrame(rows).set_index("budget").round(3)
