# All the set-up that a fresh machine needs is Python 3.11 or newer, git and make.
#   PYTHON=python3.12 make install      another interpreter
#   make run ONCE=1                     bring everything up, print a summary, exit
#   make run ARGS="--speed 10"          further arguments of `reconciler run`
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

.DEFAULT_GOAL := help
.PHONY: help install run test check lint types contracts long bench replay psql audit format lock clean

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## create .venv from requirements.lock; nothing happens if it is up to date

$(LOCKED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one: PYTHON=python3.12 make install" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) lacks venv; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r requirements.lock
	@touch $@

# The build backend comes from the lock too, so nothing unlocked is fetched.
$(STAMP): $(LOCKED) pyproject.toml
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

run: install ## the whole operator on this machine: database, simulated Render, daemon (ONCE=1, ARGS=...)
	$(BIN)/reconciler run --local $(if $(ONCE),--once) $(ARGS)

test: install ## the tests, in under ten minutes (ARGS=...)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)
