# The one entry point, for a person and for CI alike. `make` alone explains itself.
# Written for GNU make 3.81 (what macOS ships) and later.

PYTHON ?= python3
JOBS ?= 2

# The bench reads its options from here: make bench BENCH="--help"
BENCH ?=
DEMO ?=
FUZZ ?=

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
say = @printf '%s\n' "-- $(1)"

NOTEBOOKS := $(wildcard */*.ipynb)
# Packages whose C has threads, for the race detector; the others have nothing to race.
THREADED := contract phase4_ring phase6_wal
# What `make sanitize` runs under Python: the contract's own tests and every package with C; of
# phase 5 the parts that come down to C, for its sessions are Python alone.
NATIVE := $(sort contract $(patsubst %/_build.py,%,$(wildcard */_build.py)))
NATIVE := $(patsubst phase5_protocol,$(addprefix phase5_protocol/,flat itch multicast),$(NATIVE))

export NO_MKDOCS_2_WARNING := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-long interop bench docs readme lint sanitize fuzz models notebooks
.PHONY: setup extensions clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# --- the environment and the extensions -------------------------------------------------

# Two stages, so that the demo does not wait for the documentation's dependencies.
$(VENV)/.run: pyproject.toml constraints.txt
	@command -v $(PYTHON) > /dev/null || { echo "There is no $(PYTHON) here. Mend: make PYTHON=/path/to/python3 (3.11 or newer)" >&2; exit 1; }
	@$(PYTHON) tools/preflight.py
	$(call say,making the environment in $(VENV))
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --constraint constraints.txt setuptools cffi
	@MATCHBOOK_PURE=1 $(PIP) install --constraint constraints.txt --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(call say,adding what tests and lint and docs and notebooks need)
	@MATCHBOOK_PURE=1 $(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	@touch $@

# Always asked for: setuptools knows which extension is stale, after a changed source or header
# and after a changed switch alike (see cbuild.py), and has nothing to do in a third of a second.
extensions: $(VENV)/.run
	$(call say,C extensions: compiling what changed)
	@$(PY) setup.py --quiet build_ext --inplace

setup: $(VENV)/.dev extensions ## make the environment and compile, run nothing

# --- for everyone ------------------------------------------------------------------------

demo: $(VENV)/.run extensions ## see every engine at work: workload, book, before/after table
	@$(VENV)/bin/matchbook demo $(DEMO)

test: setup ## every test but the long ones, in Python and in plain C
	$(call say,C tests)
	@$(PY) -m tools.ctest
	$(call say,Python tests)
	@$(PY) -m pytest -n $(JOBS)

bench: setup ## measure on this machine (options: make bench BENCH="--help")
	@$(VENV)/bin/matchbook bench $(BENCH)

docs: setup ## build the book into build/site
	$(call say,drawing what is behind its results, rendering the pages into build/book)
	@$(PY) -m tools.book_plots
	@$(PY) -m tools.book render
	@$(PY) -m tools.book check
	@$(PY) -m mkdocs build --strict
	@$(PY) -m tools.book check-site
	$(call say,the book is build/site/index.html)

# --- for those who change it -------------------------------------------------------------

test-long: setup ## the long tests alone: millions of random commands
	@$(PY) -m pytest -m long --hypothesis-profile=long -n $(JOBS) --timeout 7200

# Compiling QuickFIX takes minutes, once: pip keeps the wheel.
$(VENV)/.interop: $(VENV)/.dev
	$(call say,adding QuickFIX: compiled on the first time)
	@MATCHBOOK_PURE=1 $(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[dev,interop]'
	@touch $@

interop: $(VENV)/.interop extensions ## phase 5 against tshark and QuickFIX, which must be there
	@MATCHBOOK_INTEROP=1 $(PY) -m pytest -m interop -n $(JOBS)

readme: setup ## rewrite the tables in README.md from docs/results
	@$(PY) -m tools.book readme

lint: setup ## ruff, mypy, tidy, and the C sources with every warning an error
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@$(PY) -m tools.tidy
	@MATCHBOOK_STRICT=1 $(PY) setup.py --quiet build_ext --build-lib build/strict/lib --build-temp build/strict/temp
	$(call say,lint is clean)

sanitize: setup ## the C tests and the contract under ASan and UBSan, threads under TSan (gcc)
	$(call say,C tests under the sanitizers)
	@$(PY) -m tools.ctest --sanitize address
	$(call say,C tests with threads under the race detector)
	@$(PY) -m tools.ctest --sanitize thread $(THREADED)
	$(call say,Python tests under the sanitizers)
	@$(PY) -m tools.sanitize $(NATIVE)

# libFuzzer is clang's. The long run, ten minutes a target: make fuzz FUZZ="--seconds 600"
fuzz: setup ## random bytes against the C decoders, under ASan and UBSan: needs clang
	@$(PY) -m tools.fuzz $(FUZZ)

models: setup ## every interleaving of the ring protocols, with the model checker spin
	@$(PY) -m tools.models

notebooks: setup ## execute every notebook
	$(call say,executing: $(NOTEBOOKS))
	@test -z "$(NOTEBOOKS)" || $(PY) -m pytest --nbmake --nbmake-timeout=600 --timeout 900 $(NOTEBOOKS)

clean: ## forget everything built, the environment too
	rm -rf $(VENV) build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name '__pycache__' -prune -exec rm -rf {} +
	find . -name '*.so' -delete
