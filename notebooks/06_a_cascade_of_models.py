# %% [markdown]
# # A cascade of whole models
#
# Three classifiers for handwritten digits, small to large: whoever the small one is not sure about goes to the next.
# The log has one row an image and model, with the measured time of that one call. From it comes a configuration that
# keeps a budget for each request, with a certificate; then a loop runs it.
#
# The method is DyCE (Wang et al. 2024, [arXiv 2403.01695](https://arxiv.org/abs/2403.01695)). Install it from a clone:
# `pip install .`.

# %%
import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

import dyce_search as ds

# %% [markdown]
# ## The log
#
# Logistic regression, a random forest of 100 trees, extremely randomised trees, 400 of them, trained on 400 images and
# asked about 1,397 others (`data/make_cascade.py`). Prices are milliseconds of processor time.

# %%
records = ds.load_cascade("../data/digits_cascade.jsonl.gz", cost="milliseconds", unit="ms", measure="max_prob")
records

# %%
for name, right, price in zip(records.layout.names, records.exit_accuracy, records.costs.alone, strict=True):
    print(f"{name:20} right on {100 * right:.1f} %, {price:6.2f} ms a call")

# %% [markdown]
# Calls of one model differ in time, here by what the machine was up to, for language models by the length of question
# and answer.

# %%
every = [*records.sample_costs.head[:-1], records.sample_costs.baseline]
for name, row in zip(records.layout.names, every, strict=True):
    low, middle, high = np.quantile(row, [0.05, 0.5, 0.95])
    print(f"{name:20} 5 % below {low:6.2f} ms, half below {middle:6.2f} ms, 95 % below {high:6.2f} ms")

# %% [markdown]
# ## Search
#
# Four tenths to search on, as many to certify on, and the rest to report on.

# %%
search, calibration, report = records.split(0.4, 0.4, seed=0)
front = ds.search(search)
ax = front.plot(held_out=front.evaluate(report), selected=front.select(max_accuracy_drop=0.01))

# %%
front.to_frame().iloc[:: max(1, len(front) // 8)].round(4)

# %% [markdown]
# What would mean prices have said? The same configurations, once with the price of every call, once with the mean.

# %%
plain = replace(report, costs=report.costs, sample_costs=None)
true, stated = front.evaluate(report), front.evaluate(plain)
off = 100 * (stated.cost / true.cost - 1)
print(f"with mean prices the cost of a point is off by {off.min():+.1f} to {off.max():+.1f} %")

# %% [markdown]
# ## A budget for each request
#
# A mean says little to whoever waits. Say that no more than one request in a hundred may take longer than 50 ms.

# %%
within = ds.search(search, max_sample_cost=50, share=0.01)
for name, found in (("any", front), ("within the budget", within)):
    point = found.select(max_cost=10)
    there = ds.evaluate(report, point.config)
    print(
        f"{name:18} accuracy {there.accuracy:.3f}, {there.cost:5.2f} ms in the mean, "
        f"{there.cost_quantile(0.99):5.2f} ms at the 99th percentile, {100 * there.over_budget(50):.1f} % above 50 ms"
    )

# %% [markdown]
# That is what to expect. What is certain, with 95 % confidence, is decided by images that the search has not seen.

# %%
certified = within.certify(calibration, max_sample_cost=50, share=0.03, max_accuracy_drop=0.05)
print(certified)

# %% [markdown]
# ## Other orders
#
# Does the random forest earn its place? Should the large model come first, at times? All orders and subsets:

# %%
ordered = ds.search_orders(search)
ax = ordered.plot(label="any order", others={"in the order of the log": front})

# %%
ordered.to_frame().groupby("order").agg(points=("cost", "size"), cheapest=("cost", "min"), best=("accuracy", "max"))

# %% [markdown]
# ## The loop
#
# What a gateway has to do, as plain JSON, and as a loop over callables. Here the callables look answers up in the log;
# one of them is too slow at times, which counts as "go on".

# %%
config = certified.config
config.to_rules()


# %%
async def answer(query, models, config, seconds=1.0):
    """The first answer that is sure enough, and the model that gave it."""
    for position, name in enumerate(config.layout.names):
        last = position == config.n_positions
        if not last and config.candidate[position] < 0:
            continue
        try:
            text, confidence = await asyncio.wait_for(models[name](query), None if last else seconds)
        except TimeoutError:
            continue
        if config.leaves(position, confidence):
            return text, name
    raise AssertionError("whoever is left is answered by the last model")


def logged(model, late=()):
    async def call(query):
        await asyncio.sleep(10 if query in late else 0)
        return records.prediction[model, query], records.confidence[model, query]

    return call


async def serve(late=()):
    models = {name: logged(m, late if m == 0 else ()) for m, name in enumerate(records.layout.names)}
    return await asyncio.gather(*(answer(query, models, config, seconds=0.2) for query in range(400)))


# %% [markdown]
# A notebook runs in a loop of its own, so ours gets a thread.

# %%
with ThreadPoolExecutor(1) as pool:
    answers = pool.submit(asyncio.run, serve()).result()
    hurried = pool.submit(asyncio.run, serve(late=range(0, 400, 10))).result()

routed = config.route(records.confidence[:, :400])
print("as routed:", [name for _, name in answers] == [records.layout.names[m] for m in routed])
print(
    "late calls that the small model would have answered:", sum(a != b for a, b in zip(answers, hurried, strict=True))
)
right = [text == label for (text, _), label in zip(answers, records.label[:400], strict=True)]
print(f"right on {100 * np.mean(right):.1f} % of 400")
