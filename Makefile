# The commands of supernet-bench. `make bench-nb201` and `make test` set everything up by themselves, once.
PYTHON ?= python3
VENV ?= .venv
PIP_FLAGS ?=
# What comes with the project lies in results/; what is run here goes to a folder of its own in it.
RESULTS ?= results
OWN ?= results/own
TRUTH ?= embedded
SPACE ?= nb201

# One thread per process: runs are repeatable, and processes do not fight for cores.
export OMP_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1

PY := $(VENV)/bin/python
CORES := $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
READY := $(VENV)/.ready

.PHONY: help setup bench-nb201 smoke test test-all reproducibility check format figures gallery studies table soak perf notebooks site
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1	/' | expand -t 26

setup: $(READY) ## the virtual environment with pinned packages (the other targets do this when needed)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || \
	  { echo "Python 3.11 to 3.14 is needed, $$($(PYTHON) --version 2>&1) was found; set PYTHON=/path/to/python"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt -e ".[test]"
	@touch $@

bench-nb201: $(READY) ## the first run: search, score, figures, and the answer in the terminal (10 minutes on 2 cores)
	$(PY) -m bench run nb201 --pool processes --results $(OWN) || [ $$? -eq 1 ]  # 1: a run diverged, which is a result
	$(PY) -m bench score --truth $(TRUTH) --dataset patches --results $(OWN)
	$(PY) -m analysis --results $(OWN) --partial --workers $(CORES)

smoke: $(READY) ## every method once at the smallest scale: does everything run? (a minute)
	$(PY) -m bench run smoke --results $(OWN)

test: $(READY) ## the tests (all but those marked slow)
	$(PY) -m pytest -q -n 2 --dist loadfile -m "not slow"

test-all: $(READY) ## all tests, slow ones too
	$(PY) -m pytest -q -n 2 --dist loadfile

reproducibility: $(READY) ## published numbers recomputed; needs the data that docs/data.md names
	$(PY) -m pytest -q -m reproducibility

check: $(READY) ## lint, format, types, import walls
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: $(READY) ## rewrite the sources in the project's format
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

figures: $(READY) ## score what is not scored yet; tables, figures and report.html from what is in results/
	$(PY) -m bench score --dataset patches --results $(RESULTS)
	$(PY) -m analysis --results $(RESULTS) --workers $(CORES) $(if $(filter results,$(RESULTS)),--readme README.md docs/first-results.md docs/findings.md docs/tables.md docs/figures.md)

gallery: $(READY) ## the same, and one small picture of each kind of figure in docs/gallery
	$(PY) -m bench score --dataset patches
	$(PY) -m analysis --workers $(CORES) --gallery docs/gallery --readme README.md docs/first-results.md docs/findings.md docs/tables.md docs/figures.md

studies: $(READY) ## the same of the studies that lie in results/studies, before `make figures` tells of them
	for study in pilot decisive; do \
	  $(PY) -m bench score --dataset patches --results results/studies/$$study && \
	  $(PY) -m analysis --results results/studies/$$study --workers $(CORES) \
	    $$(test $$study = decisive && echo --gallery docs/gallery/decisive) || exit; \
	done

table: $(READY) ## train the embedded table of SPACE, or go on with it (nb201: hours; stop it whenever you like)
	$(PY) -m bench.truth.generate --space $(SPACE) --workers $(CORES)
	$(PY) -m bench.truth.generate --space $(SPACE) --merge

notebooks: $(READY) ## the quick start and the lessons as notebooks, docs/notebooks/*.ipynb
	$(PY) -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt -e ".[notebooks]"
	$(VENV)/bin/jupytext --quiet --to ipynb docs/notebooks/*.md

site: $(READY) ## the documents as web pages with the reference of the Python code: build/site/index.html
	$(PY) -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt -e ".[docs]"
	$(PY) -m sphinx --fail-on-warning --keep-going --quiet --fresh-env -c docs/site . build/site

soak: $(READY) ## kills, flips, crowds, full disks and hostile files, counted (minutes); writes docs/reliability.md
	$(PY) -m tests.soak --write docs/reliability.md

perf: $(READY) ## fast forms against the plain form, interleaved, in CPU time
	$(PY) -m tests.perf
