# Parley's commands. Each does the set-up that it needs by itself; a second call finds it done.
#
#   make run ARGS="--port 9000"          more options for parley serve
#   make test ARGS="-k resume"           more options for pytest
#   make bench BENCH=forward ARGS=--quick

SHELL := /usr/bin/env bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup run dev check test lint format bench environment development

BIN := .venv/bin
ARGS ?=
BENCH ?= $(patsubst bench/%.py,%,$(shell grep -ls '__name__ == "__main__"' bench/*.py))
PYTHON_SOURCES := $(wildcard quality sfu recorder signaling bench tests scripts)
JS_SOURCES = $(shell find signaling/web -name '*.js' -not -path '*/vendor/*' 2>/dev/null)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: development ## Make the environment and install the programs that the tests drive
	@scripts/system-packages.sh

run: environment ## Start a server for this machine and print its link
	@exec $(BIN)/parley serve --dev $(ARGS)

dev: environment ## As run, restarting whenever a source changes
	@exec $(BIN)/python scripts/restart_on_change.py $(BIN)/parley serve --dev $(ARGS)

check: development ## Check what you have changed, in a minute: its linters, and the pure tests of its concepts
	@$(BIN)/python scripts/check.py $(ARGS)

# Bytecode is written whatever the environment says: else each worker compiles all tests anew.
test: setup ## Run every test, on three workers: much of it waits for real time to pass
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist loadgroup $(ARGS)

lint: development ## Check style, types and import directions
	$(BIN)/ruff check $(PYTHON_SOURCES)
	$(BIN)/ruff format --check $(PYTHON_SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if command -v node >/dev/null; then \
	  for file in $(JS_SOURCES); do echo "node --check $$file"; node --input-type=module --check <"$$file"; done; \
	else echo "node is not installed: the JavaScript was not checked"; fi

format: development ## Rewrite the sources as lint wants them
	$(BIN)/ruff check --fix $(PYTHON_SOURCES)
	$(BIN)/ruff format $(PYTHON_SOURCES)

bench: development ## Run the benches (BENCH=name for one, ARGS=--quick for a short run)
	@for name in $(BENCH); do $(BIN)/python -m bench.$$name $(ARGS); done

environment:
	@scripts/environment.sh

development:
	@scripts/environment.sh test lint
