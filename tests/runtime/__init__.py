"""Tests of `dyce_search.runtime`. The backbones that they share are in `networks`."""
