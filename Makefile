# All the set-up that a fresh machine needs is Python 3.11 or newer, git and make.
#   PYTHON=python3.12 make install      another interpreter
#   make run ONCE=1                     bring everything up, print a summary, exit
#   make run ARGS="--apply DIR"         further arguments of `reconciler run`
#   make test ARGS="-k signup"          further arguments of pytest

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCKED := $(VENV)/.locked
STAMP  := $(VENV)/.installed
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
ROLE   ?= operator
ARGS   ?=
ONCE   ?=
# Two workers: what the smallest CI machine has. Each starts a PostgreSQL of its own.
WORKERS ?= 2

PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help install run test check lint style types contracts format bench replay campaign cassettes account psql audit lock clean

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## create .venv from requirements.lock; nothing happens if it is up to date

# The lock is complete, so pip must not resolve: asked for an extra of a locked package, it would reach for a newer one.
$(LOCKED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one: PYTHON=python3.12 make install" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) lacks venv; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes --no-deps -r requirements.lock
	@touch $@

# The build backend comes from the lock too, so nothing unlocked is fetched.
$(STAMP): $(LOCKED) pyproject.toml
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

run: install ## the whole operator on this machine: database, simulated Render, daemon (ONCE=1, ARGS=...)
	$(BIN)/reconciler run --local $(if $(ONCE),--once) $(ARGS)

test: install ## the tests, in under ten minutes (ARGS=...)
	$(PYTEST) -n $(WORKERS) --dist worksteal $(ARGS)

# Goes on after a failure, so that one run shows everything that is wrong.
check: install ## what CI runs: lint, types, import contracts, all tests with the long ones, coverage of the core
	@status=0; \
	$(MAKE) --no-print-directory --keep-going lint || status=1; \
	$(PYTEST) -n $(WORKERS) --dist worksteal -m "not bench" --cov --cov-report= $(ARGS) || status=1; \
	$(BIN)/coverage report --include='reconciler/core/*' --fail-under=100 || status=1; \
	printf 'coverage of everything, per cent: %s\n' "$$($(BIN)/coverage report --format=total)"; \
	exit $$status

lint: style types contracts ## ruff, formatting, mypy --strict, import contracts

style: install
	$(BIN)/ruff check reconciler tests
	$(BIN)/ruff format --check reconciler tests

types: install
	$(BIN)/mypy --strict reconciler

campaign: install ## seeds, crash points and mutants against the promises of docs/promises.md (ARGS="--seeds 1000 --minutes 10")
	$(BIN)/python -m tests.campaign $(ARGS)

contracts: install
	$(BIN)/lint-imports --no-logo

format: install ## put the code into the house format
	$(BIN)/ruff check --fix --quiet reconciler tests
	$(BIN)/ruff format reconciler tests

bench: install ## the measurements, as tables and in build/bench.json (ARGS="-k simulator")
	$(PYTEST) -m bench --capture=no --timeout=0 $(ARGS)

replay: install ## the recorded traffic of Render against the simulator, over HTTP, as a table (ARGS="--recordings DIR")
	@$(BIN)/python -m tests.simulator.replay $(ARGS)

# Deleted first, so that none outlives its test. The same simulator gives the same files, to the byte.
cassettes: install ## record the client's cassettes anew, from the simulator (ARGS=...)
	rm -f tests/render/cassettes/*.yaml
	RECONCILER_RECORD_CASSETTES=1 $(PYTEST) -n 0 -k cassette tests/render/contract/test_contract.py $(ARGS)

account: install ## the client's contract against Render itself, with your key; at most 8 objects, all deleted again (ARGS=...)
	@: "$${RECONCILER_CONTRACT_API_KEY:?is the API key to use}" "$${RECONCILER_CONTRACT_OWNER_ID:?is the workspace to use}"
	$(PYTEST) -n 0 -k account --timeout 1800 tests/render/contract/test_contract.py $(ARGS)

psql: install ## SQL on the database of `make run`; ROLE=signup for the other role (ARGS="-c 'SELECT 1'")
	@exec $(BIN)/reconciler psql --role $(ROLE) $(ARGS)

audit: install ## known vulnerabilities of what is locked (asks the advisory databases)
	$(BIN)/pip-audit --requirement requirements.lock --require-hashes --disable-pip

lock: ## renew requirements.lock from pyproject.toml, for every platform, with hashes and no index address
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(VENV)-lock/bin/uv pip compile pyproject.toml --extra embedded --extra dev --output-file requirements.lock \
	  --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet $(ARGS)
	rm -rf $(VENV)-lock

clean: ## remove caches and the environment; the data under .reconciler stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find reconciler tests -name __pycache__ -type d -prune -exec rm -rf {} +
