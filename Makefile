# Every target may be run again at any time: it does what is missing and nothing else.

PYTHON := .venv/bin/python

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-fast bench chaos lint fmt release clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start the service, everything it needs included, on ROLLBOOK_PORT (8420)
	@sh .make/venv.sh runtime
	@exec .venv/bin/rollbook serve

test: ## run every test
	@sh .make/venv.sh dev
	@sh tests/node/install.sh
	@exec $(PYTHON) -m pytest --numprocesses=3 --dist=worksteal $(PYTEST_ARGS) # on 2 cores: tests of servers wait a lot

# What a change needs most: every module is imported, decisions, codecs and chains, the contracts of the log and the lanes, the
# log in PostgreSQL, parameters and refusals, the client of webhooks, and the API by a real server and Stripe's client.
FAST := $(addprefix tests/,test_modules.py test_python_versions.py test_virtual_time.py contracts) \
	$(addprefix tests/events/test_,api_key.py balance.py chain.py codec.py coupon.py customer.py discount.py golden.py) \
	$(addprefix tests/events/test_,payment_method.py postgres_log.py promotion_code.py source.py subscription.py) \
	$(addprefix tests/events/test_,tax.py tax_id.py test_clock.py token.py trace.py) \
	$(addprefix tests/webhooks/,endpoints/test_endpoint.py queue/test_lane.py queue/test_retry.py dispatch/test_rules.py) \
	$(addprefix tests/webhooks/post/test_,sender.py signature.py tls.py) \
	$(addprefix tests/service/,test_settings.py http/test_customers.py http/test_form.py http/test_idempotency.py) \
	$(addprefix tests/service/http/test_,params.py python_client.py refusals.py requests.py)

test-fast: ## run what a change needs most, within 90 s
	@sh .make/venv.sh dev
	@exec $(PYTHON) -m pytest --numprocesses=2 $(FAST) $(PYTEST_ARGS)

bench: ## measure the figures of the README on this machine
	@sh .make/venv.sh dev
	@exec $(PYTHON) -m tests.benchmarks $(BENCH_ARGS)

chaos: ## break everything at random under load for minutes, and report what was lost
	@sh .make/venv.sh dev
	@exec $(PYTHON) -m tests.chaos $(CHAOS_ARGS)

lint: ## check style, types and the floors
	@sh .make/venv.sh dev
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports --no-cache

fmt: ## put the code in the one format
	@sh .make/venv.sh dev
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

release: ## commit, tag, build and prove a release of VERSION (by default that of events/version.py), on main
	@sh .make/venv.sh runtime
	@exec $(PYTHON) -m deploy.release $(VERSION)

clean: ## remove what the other targets made; the data in .rollbook stays
	rm -rf .venv build dist *.egg-info tests/node/node_modules
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
