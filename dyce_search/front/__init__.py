"""The Pareto front, which a search returns and everything upstairs works on, and its file.

May import certify, evaluation and what is below them.
"""
