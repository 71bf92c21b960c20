# Everything runs in .venv, which is made once and again when what it depends on has changed.
# Needs GNU make and Python; uv only for `make lock`.

PYTHON ?= python3
BIN := .venv/bin
PROTOS := $(shell find proto -name '*.proto' 2>/dev/null)
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
.PHONY: help setup demo test lint bench load soak coverage proto lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: build/gen/made .venv/ready  ## make .venv: hash-locked requirements and this package, editable

demo: setup  ## a busy quarter of an hour through a real server, with a live table
	@$(BIN)/usher demo $(ARGS)

test: setup  ## all tests, long counts at a tenth (ARGS="-k name" for some)
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(ARGS)

lint: setup  ## format, lint, types, protos, Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/buf lint
	$(BIN)/hadolint Dockerfile

bench: setup  ## microseconds per decision; calls per second against a bare echo server
	$(BIN)/python benchmarks/bench_pool.py $(ARGS)
	$(BIN)/python benchmarks/bench_server.py $(ARGS)

load: setup  ## load servers of its own, one table (CSV=<file>: replay that call log instead)
	@if test -n "$(CSV)"; then $(BIN)/usher load "$(CSV)" $(ARGS); \
		else $(BIN)/python benchmarks/load.py $(ARGS); fi

soak: setup  ## the crash and soak tests at full size
	@USHER_FULL=1 $(BIN)/python -m pytest -m "crash or soak or branch" --timeout 3600 $(ARGS)

coverage: setup  ## line coverage of the core, at least 95%
	@$(BIN)/python -m pytest --cov --cov-report=term --cov-fail-under=95 $(ARGS)

proto: .venv/locked  ## make build/gen from proto/
	@$(BIN)/python hatch_build.py
	@touch build/gen/made

lock:  ## choose the newest allowed versions anew: requirements.lock
	@test -x build/lock/bin/uv || { $(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet uv; }
	build/lock/bin/uv pip compile pyproject.toml --group dev --extra fast --extra redis --extra reports --extra frames --universal --upgrade \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		--quiet --output-file requirements.lock

# Not in the lock: its wheel brings a package `tests`, which would hide this project's.
build/peers:  # what bench_simulation.py compares with beside SimPy
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --target $@ "ciw==3.2.7"

clean:  ## remove all that make has made
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find queue router simulation tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

.venv/locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { \
		echo "Usher needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
			"Name another one: make setup PYTHON=python3.12" >&2; exit 1; }
	@echo "making .venv (about a minute)"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@touch $@

# Before the install, whose build hook does the same: protoc's complaint is easier to read here.
build/gen/made: .venv/locked hatch_build.py $(PROTOS)
	@$(BIN)/python hatch_build.py
	@touch $@

.venv/ready: .venv/locked pyproject.toml hatch_build.py | build/gen/made
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
