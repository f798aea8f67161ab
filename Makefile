# One environment, .venv, which the first of these makes. Another interpreter: make PYTHON=python3.12 ...
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help setup demo test lint docs notebooks bench clean

help:
	@echo "make demo    find a Pareto front for a real network: table, picture and JSON in demo/"
	@echo "make test    install the test tools and PyTorch, run all tests"
	@echo "make lint    formatting, lint, types and the direction of imports"
	@echo "make docs    build the documentation in site/; a warning is an error"
	@echo "make notebooks  run notebooks/*.py in full and keep what they show in *.ipynb"
	@echo "make bench   time the searches and write bench/"
	@echo "make setup   only make the environment, with everything"
	@echo "make clean   remove the environment and what the other commands wrote"

setup: .venv/installed-dev

demo: .venv/installed
	$(BIN)/dyce-search demo --out demo

test: .venv/installed-dev
	$(BIN)/python -m pytest
	DYCE_SEARCH_QUICK=1 $(BIN)/python -m pytest --nbmake notebooks/*.ipynb

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: .venv/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open site/index.html"

notebooks: .venv/installed-dev
	$(BIN)/jupytext --quiet --update --to ipynb notebooks/0*.py
	cd notebooks && ../$(BIN)/jupyter execute --inplace --NotebookClient.record_timing=False *.ipynb

bench: .venv/installed-dev
	$(BIN)/python -m tests.benchmarks

clean:
	rm -rf .venv demo bench site .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache

# The stamps are younger than pyproject.toml as long as nothing needs to be installed anew.
.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "dyce_search needs Python 3.11 or newer; choose one: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(PIP) install --editable .
	@touch $@

.venv/installed-dev: pyproject.toml .ci/constraints.txt | .venv/bin/python
	$(PIP) install --constraint .ci/constraints.txt --editable '.[dev,docs,torch]'
	@touch .venv/installed $@
