# One environment, .venv, which the first of these makes. Another interpreter: make PYTHON=python3.12 ...
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# How many tests run at once: make test JOBS=1
JOBS ?= auto
PYTEST := -m pytest --numprocesses=$(JOBS) --dist=worksteal

.PHONY: help setup demo test fuzz coverage models oldest oldest-quick lint docs wheel notebooks bench promises clean

help:
	@echo "make demo    find a Pareto front for a real network: table, picture, explorer and JSON in demo/"
	@echo "make test    install the test tools and PyTorch, run all tests and notebooks"
	@echo "make fuzz    40,000 damaged files, 10,000 spoilt tables, 10,000 calls with several hostile arguments, of which"
	@echo "             make test tries a twentieth, and every single argument; twice as many: make fuzz CASES=80000"
	@echo "make coverage  the same, and which lines they reach"
	@echo "make models  install torchvision, timm and transformers, and run the tests of their networks"
	@echo "make oldest  run the tests with the oldest version of everything that pyproject.toml allows, on Python 3.11"
	@echo "make lint    formatting, lint, types and the direction of imports"
	@echo "make docs    build the documentation in site/; a warning is an error"
	@echo "make wheel   build dist/*.whl and check it"
	@echo "make notebooks  run notebooks/*.py in full and keep what they show in *.ipynb"
	@echo "make bench   time the searches and write bench/"
	@echo "make promises  hold what expected scores promise against what they deliver: hours, or minutes with QUICK=1"
	@echo "make setup   only make the environment, with everything"
	@echo "make clean   remove the environment and what the other commands wrote"

setup: .venv/installed-dev

demo: .venv/installed
	$(BIN)/dyce-search demo --out demo

test: .venv/installed-dev
	DYCE_SEARCH_QUICK=1 $(BIN)/python $(PYTEST) --nbmake dyce_search tests notebooks/*.ipynb

fuzz: .venv/installed-dev
	DYCE_SEARCH_FUZZ=$(CASES) $(BIN)/python $(PYTEST) tests/fuzz tests/test_arguments.py

CASES ?= 40000

coverage: .venv/installed-dev
	DYCE_SEARCH_QUICK=1 $(BIN)/python $(PYTEST) --cov --nbmake dyce_search tests notebooks/*.ipynb

# Without what needs PyTorch or the notebooks' tools: their oldest versions are not installed.
models: .venv/installed-dev
	$(PIP) install --constraint .ci/constraints.txt --editable '.[models]'
	$(BIN)/python $(PYTEST) -m models tests/runtime tests/serving tests/docs

oldest: .venv-oldest/installed
	NUMBA_CACHE_DIR=$(CURDIR)/.venv-oldest/numba .venv-oldest/bin/python $(PYTEST) $(NOT_OLDEST) dyce_search tests

oldest-quick: .venv-oldest/installed
	NUMBA_CACHE_DIR=$(CURDIR)/.venv-oldest/numba .venv-oldest/bin/python $(PYTEST) $(NOT_OLDEST) $(QUICK)

NOT_OLDEST := --ignore=dyce_search/runtime --ignore=dyce_search/records/msdnet_files.py --ignore=tests/runtime --ignore=tests/serving \
	--ignore=tests/records/test_msdnet.py --ignore=tests/docs/test_notebooks.py
QUICK := tests/records tests/front tests/drawing/test_plot.py tests/solvers/test_solvers.py tests/cli/test_cli.py tests/cli/test_streams.py

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: .venv/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open site/index.html"

wheel: .venv/installed-dev
	rm -rf dist
	$(PIP) wheel --no-deps --wheel-dir dist .
	$(BIN)/python .ci/check_wheel.py dist/*.whl

notebooks: .venv/installed-dev
	$(BIN)/jupytext --quiet --update --to ipynb notebooks/0*.py
	cd notebooks && ../$(BIN)/jupyter execute --inplace --NotebookClient.record_timing=False *.ipynb

bench: .venv/installed-dev
	$(BIN)/python -m tests.benchmarks

promises: .venv/installed-dev
	$(BIN)/python -m tests.benchmarks promises $(if $(QUICK),--quick)

clean:
	rm -rf .venv .venv-oldest demo bench dist site .coverage .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache

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

# The oldest versions of what the package itself needs, by uv; then the newest test tools that take them.
OLDEST_PYTHON ?= python3.11
UV := .venv-oldest/bin/uv pip install --quiet --python .venv-oldest/bin/python --constraint .ci/constraints-oldest.txt

.venv-oldest/installed: pyproject.toml .ci/constraints-oldest.txt
	rm -rf .venv-oldest
	$(OLDEST_PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip --disable-pip-version-check --quiet install uv
	$(UV) --resolution lowest-direct --editable '.[parquet]'
	$(UV) pytest pytest-xdist hypothesis
	@touch $@
