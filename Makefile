# Every target may be run again at any time: it does what is missing and nothing else.

PYTHON := .venv/bin/python

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test bench chaos lint fmt clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start the service, everything it needs included, on ROLLBOOK_PORT (8420)
	@sh deploy/make-venv.sh runtime
	@exec .venv/bin/rollbook serve

test: ## run every test
	@sh deploy/make-venv.sh dev
	@sh deploy/make-node-modules.sh
	@exec $(PYTHON) -m pytest --numprocesses=2 $(PYTEST_ARGS)

bench: ## measure the figures of the README on this machine
	@sh deploy/make-venv.sh dev
	@exec $(PYTHON) -m tests.benchmarks $(BENCH_ARGS)

chaos: ## break everything at random under load for minutes, and tell what was lost
	@sh deploy/make-venv.sh dev
	@exec $(PYTHON) -m tests.chaos $(CHAOS_ARGS)

lint: ## check style, types and the floors
	@sh deploy/make-venv.sh dev
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports --no-cache

fmt: ## put the code in the one format
	@sh deploy/make-venv.sh dev
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

clean: ## remove what the other targets made; the data in .rollbook stays
	rm -rf .venv build dist *.egg-info tests/node/node_modules
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
