"""The solvers: one file a family, none knows another.

Each is a function of a `Run`, called through `dyce_search.search`.
"""
