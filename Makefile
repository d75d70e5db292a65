# `make demo` and `make test` are all a newcomer needs; each sets up what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# Bytecode is kept where it is in nobody's way, also for who wants none in his folders: half of each process's start.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.drbridge/pycache
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo stop test check docs bench bench-check bench-inbox bench-latency bench-outcome bench-parse bench-relay bench-rest bench-trace prove prove-airflow prove-stages soak fuzz schemathesis screenshots clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## the virtual environment, from pinned and hashed packages

$(VENV)/.ready: requirements-bootstrap.txt requirements-dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "drbridge needs $(PYTHON): install it, or say PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-bootstrap.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes --no-deps --compile-bytecode -r requirements-dev.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## one day of demand response, on real servers, in the Airflow UI (DEVICES=2000, DEMO_EXIT=1 to stop at the end)
	@$(BIN)/drbridge demo

stop: setup ## ends a demo that is still running
	@$(BIN)/drbridge demo --stop

test: setup ## every test, with the real servers that are found here
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

check: setup ## lint, format, types, layers, docs freshness, file lengths
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/drbridge docs --check
	$(BIN)/python -m pytest -q tests/docs

docs: setup ## writes the generated pages anew
	$(BIN)/drbridge docs

bench: setup ## all figures in under 30 minutes, and docs/performance.md (root: installs what is missing)
	$(BIN)/python bench/every.py

bench-check: setup ## files checked and staged, against pandas with pydantic and polars (5 million rows)
	$(BIN)/python bench/check.py

bench-relay: setup ## a file from SFTP to S3, against rclone, stock operators and sftp
	$(BIN)/python bench/relay.py

bench-rest: setup ## 100,000 calls one by one, against HttpOperator and bare aiohttp
	$(BIN)/python bench/rest.py

bench-outcome: setup ## outcomes in chunks of 500, each 300 ms (ROWS=600000)
	$(BIN)/python bench/outcome.py --rows $(or $(ROWS),600000)

bench-parse: setup ## what reading all DAG files costs
	$(BIN)/python bench/parse.py

prove: setup ## the promise under every fault: interleavings, kills, cuts, broken variants, safeguards; one table
	$(BIN)/python -m tests.faults.prove

soak: setup ## hours of days on a real Airflow with PostgreSQL, faults from a seed (SECONDS_OF_SOAK=7200, SEED=)
	$(BIN)/python -m tests.faults.soak --seconds $(or $(SECONDS_OF_SOAK),7200) $(if $(SEED),--seed $(SEED))

prove-stages: setup ## all 1,364 sequences of stage messages, through the ledger into DACS
	DRBRIDGE_PROVE_STAGES=1 $(BIN)/python -m pytest -q tests/unit/contracts/test_stage_path.py tests/flows/test_stage_sequences.py

prove-airflow: setup ## message flows on real Airflow processes: killed, searched for names, asked a person
	$(BIN)/python -m pytest -q tests/slow

bench-inbox: setup ## messages stored and sent on, against a bare loop (MESSAGES=20000)
	$(BIN)/python bench/inbox.py --messages $(or $(MESSAGES),20000)

bench-latency: setup ## until a message or small file has its effect, on a running Airflow (SECONDS_OF_POSTS=180)
	$(BIN)/python bench/latency.py --seconds $(or $(SECONDS_OF_POSTS),180)

bench-trace: setup ## `drbridge trace` with ten million rows delivered (ROWS=10000000)
	$(BIN)/python bench/trace.py --rows $(or $(ROWS),10000000)

fuzz: setup ## the long run of the contract fuzz test (FUZZ_SECONDS=600)
	DRBRIDGE_FUZZ_SECONDS=$(or $(FUZZ_SECONDS),600) $(BIN)/python -m pytest -q tests/unit/checks -k fuzz

schemathesis: setup ## the inbox against its own OpenAPI (SCHEMATHESIS_EXAMPLES=200 an operation)
	DRBRIDGE_SCHEMATHESIS_EXAMPLES=$(or $(SCHEMATHESIS_EXAMPLES),200) $(BIN)/python -m pytest -q -s tests/inbox/test_openapi.py

screenshots: setup ## pictures of the running demo for the docs (needs Debian's chromium)
	$(BIN)/python docs/take_screenshots.py

clean: ## removes everything local: the environment, the ledger, staging, the demo
	-test -x $(BIN)/python && $(BIN)/drbridge demo --stop
	rm -rf $(VENV) .drbridge .mypy_cache .ruff_cache .pytest_cache .hypothesis
