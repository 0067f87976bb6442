# Every target sets up what it needs on a machine with python3 (3.11 or later), pip, venv and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed.stamp
# Two workers share the machine: more threads than one each would only get into each other's way.
TEST_ENVIRONMENT := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
WORKERS ?= 2

.PHONY: help setup demo test check bench docs verify clean

help:
	@echo "make demo    the main job on a generated sandstone: demo/report.html and more (about a minute)"
	@echo "make test    all tests"
	@echo "make check   style, types, import contract"
	@echo "make bench   timings, written to benchmarks/records/"
	@echo "make docs    static pages in docs/_build/"
	@echo "make verify  every known value computed again: docs/verification.md, docs/error-budget.md (half an hour)"
	@echo "make clean   remove the environment, caches and generated files"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(STAMP)
	$(BIN)/python examples/demo.py

test: $(STAMP)
	$(TEST_ENVIRONMENT) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_OPTIONS)

check: $(STAMP)
	$(BIN)/ruff check src tests benchmarks examples docs
	$(BIN)/ruff format --check src tests benchmarks examples docs
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m benchmarks

docs: $(STAMP)
	$(BIN)/python docs/build.py

verify: $(STAMP)
	$(BIN)/python -m docs.verification $(CASES)

clean:
	rm -rf $(VENV) .cache demo docs/_build build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
