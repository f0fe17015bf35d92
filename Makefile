# Lupus: every command a person or CI needs. `make help` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN_READY := $(VENV)/.ready-run
DEV_READY := $(VENV)/.ready-dev
SOURCES := detectors storage workflows service library tests benchmarks docs examples

.PHONY: help demo serve try test test-real servers servers-down check lint types imports docs-check docs bench lock library-zip clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/ /' | awk '{printf "  make %-11s %s\n", $$1, substr($$0, index($$0, $$2))}'

demo: $(RUN_READY)  ## plant events in realistic series, detect them over HTTP, show what was found and missed
	@$(BIN)/lupus-server demo

serve: $(RUN_READY)  ## keep a service running on 127.0.0.1:8700, data below .lupus/
	@$(BIN)/lupus-server serve

test: $(DEV_READY)  ## every short test that needs no server (about 4 minutes on 2 cores)
	@$(BIN)/pytest -n 2 --dist worksteal -q --durations=20 -m "not real and not slow"

servers:  ## start the real servers that the tests of the real layer need (docs/testing.md)
	@$(PYTHON) tests/servers/servers.py up

servers-down:  ## end them and drop their data; what was compiled and downloaded stays
	@$(PYTHON) tests/servers/servers.py down

# A missing server fails here; with `pytest -m real` alone its tests are skipped. Both halves run.
REAL := . ./.servers.env && CI=true $(BIN)/pytest -q --durations=25

# What failed has one more try by itself, and both are printed: servers and pods share two cores.
AGAIN := $(REAL) --last-failed --last-failed-no-failures none

# Also the tests that need no server and take long.
LONG := (real or slow)

test-real: $(DEV_READY)  ## every test against real servers, after starting what is missing, and every long one
	@$(PYTHON) tests/servers/servers.py up all >/dev/null
	@status=0; \
	($(REAL) -n 2 --dist worksteal -m "$(LONG) and not alone") || ($(AGAIN) -m "$(LONG) and not alone") || status=1; \
	($(REAL) -m "$(LONG) and alone") || ($(AGAIN) -m "$(LONG) and alone") || status=1; \
	exit $$status

check: lint types imports docs-check test  ## format, lint, types, import rules, docs, tests: what CI runs before test-real

lint: $(DEV_READY)
	@$(BIN)/ruff format --check -q $(SOURCES) && $(BIN)/ruff check -q $(SOURCES) && echo "lint: fine"

types: $(DEV_READY)
	@$(BIN)/mypy

imports: $(DEV_READY)
	@$(BIN)/lint-imports

docs-check: $(DEV_READY)
	@$(BIN)/lupus-server docs --check

docs: $(DEV_READY)  ## make docs/settings.md, openapi.json and events.json again
	@$(BIN)/lupus-server docs

bench: $(DEV_READY)  ## measure: ratios of both sides from one run
	@$(BIN)/python -m benchmarks

LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header --no-annotate --upgrade

lock: | $(VENV)/bin/uv  ## resolve requirements/*.txt again (hashes, no hosts)
	@$(LOCK) pyproject.toml requirements/build.in -o requirements/run.txt
	@$(LOCK) pyproject.toml requirements/build.in --extra all -o requirements/image.txt
	@$(LOCK) pyproject.toml requirements/build.in --extra all --group dev -o requirements/dev.txt

library-zip:  ## the users' library as one pure-Python file, dist/lupus.zip, for spark-submit --py-files
	@$(PYTHON) library/pack.py dist/lupus.zip

clean:  ## remove the environment and every cache (data in .lupus/ stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Lupus needs Python 3.11 or newer; say which: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv module is missing: install it (Debian: apt-get install python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(RUN_READY): requirements/run.txt pyproject.toml | $(VENV)/bin/uv
	@test -f $(DEV_READY) || echo "Preparing $(VENV): about 200 MB to download, 0.8 GB on disk, one minute on a usual connection."
	@$(BIN)/uv pip install -q --python $(VENV) --require-hashes -r requirements/run.txt
	@$(BIN)/uv pip install -q --python $(VENV) --no-deps --no-build-isolation -e .
	@echo "Compiling the detectors' kernels once: about 15 seconds."
	@$(BIN)/python -m detectors.precompile
	@touch $@

$(DEV_READY): requirements/dev.txt pyproject.toml library/pyproject.toml | $(VENV)/bin/uv
	@echo "Preparing $(VENV) with the test tools: about 330 MB to download, 1.3 GB on disk, a minute or two."
	@$(BIN)/uv pip install -q --python $(VENV) --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install -q --python $(VENV) --no-deps --no-build-isolation -e . -e library
	@$(BIN)/python -m detectors.precompile
	@touch $@ $(RUN_READY)
