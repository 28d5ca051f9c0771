# Everything a checkout needs; `make` alone lists it.

PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help venv demo test check bench faults lock clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 10

venv: $(STAMP) ## .venv with exactly what requirements.lock says

demo: venv ## the whole stack and one message on its way to the CRM; Ctrl-C stops it
	@$(BIN)/potok demo

test: check ## every check and every test but the slow ones
	@.ci/tesseract
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadgroup --no-loadscope-reorder

check: venv ## format, lint, types, imports, house rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_house.py

bench: venv ## figures of this machine; fails on no clock
	$(BIN)/python -m tests.bench

faults: venv ## the slow tests: killed processes, absent servers
	$(BIN)/python -m pytest -m slow

lock: venv ## requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --extra dev pyproject.toml -o requirements.lock

clean: ## stops the stack; removes its state and every cache, and keeps .venv
	@if [ -x $(BIN)/potok ]; then $(BIN)/potok down; fi
	rm -rf .potok build *.egg-info .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# Once, and again only when the lock or the project changed.
$(STAMP): requirements.lock pyproject.toml
	@.ci/venv "$(PYTHON)" $(UV_VERSION)
	@touch $@
