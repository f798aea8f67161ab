"""Searches and comparisons on the scores as they are, as published baselines do, so that twins can follow them."""

from functools import partial

import dyce_search as ds

search = partial(ds.search, scores="observed")
compare = partial(ds.compare, scores="observed")
