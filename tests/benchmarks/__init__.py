"""Benchmarks: `make bench`, or `python -m tests.benchmarks [SECTION ...]`. No test depends on them."""
