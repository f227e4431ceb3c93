# The same few commands serve a person and CI. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
KAFKA ?= mock
# Tests wait more than they compute; each of the two has its clusters.
TWO := -n 2 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup demo warm test test-drift drift-compared test-faults soak peers check format lock clean

help: ## Show this help.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

# A stamp a lock file: a changed lock, and only that, installs again.
$(VENV)/.venv.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "stream-app needs Python 3.11 or newer; set PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime.stamp: $(VENV)/.venv.stamp requirements/runtime.txt requirements/build.txt pyproject.toml
	@echo "installing stream-app into $(VENV) ..."
	$(PIP) install --require-hashes -r requirements/runtime.txt
	$(PIP) install --require-hashes -r requirements/build.txt
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.local-kafka.stamp: $(VENV)/.runtime.stamp requirements/local-kafka.txt
	@echo "installing a local Apache Kafka's launcher ..."
	$(PIP) install --require-hashes -r requirements/local-kafka.txt
	@touch $@

$(VENV)/.dev.stamp: $(VENV)/.local-kafka.stamp requirements/dev.txt
	@echo "installing the tools for tests ..."
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

setup: $(VENV)/.runtime.stamp ## Create .venv with stream-app in it.

ifeq ($(KAFKA),real)
demo: $(VENV)/.local-kafka.stamp
else
demo: setup
endif
demo: ## Run the main job on an embedded cluster (KAFKA=real: a real Apache Kafka).
	@mkdir -p build
	$(BIN)/stream-app demo --kafka $(KAFKA) --report build/drift-report.html $(DEMO_ARGS)

check: $(VENV)/.dev.stamp ## Static gates: format, lint, types.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Before tests: none of their workers is to wait for it, and none to compile it beside another.
warm: $(VENV)/.dev.stamp
	@$(BIN)/stream-app warm

test: check warm ## Everything: static gates, then all tests, with a real Apache Kafka.
	$(BIN)/python -m pytest $(if $(TEST_ARGS),,--whole=quick) $(TWO) $(TEST_ARGS)

# Then alone, what measures times. --whole: fails when a test, a seed or a control is missing.
# FAULT_ARGS=--resume goes on with one of this commit that was cut short.
test-faults: $(VENV)/.dev.stamp warm ## Every fault this machine can do, five seeds each (over two hours on two cores).
	$(BIN)/python -m pytest --whole=faults $(TWO) --fault-report=build/faults.json $(FAULT_ARGS)
	$(BIN)/python -m pytest --whole=recovery --fault-report=build/recovery.json $(FAULT_ARGS)

# nannyml is installed beside it, for the data that it brings (DRIFT_ARGS=--offline: without).
test-drift: $(VENV)/.dev.stamp warm ## What is claimed of drift: false alarms, power, delays (minutes; DRIFT_ARGS=--write).
	$(BIN)/python -m tests.drift_claims --json build/drift.json $(DRIFT_ARGS)

HOURS ?= 8
soak: $(VENV)/.dev.stamp warm ## Random faults for HOURS=8 under load, and what a worker grows by.
	$(BIN)/python -m tests.fault.soak --hours $(HOURS) --report build/soak.json $(SOAK_ARGS)

peers: $(VENV)/.local-kafka.stamp ## Measure stream-app beside other tools (PEERS_ARGS=--write: into docs/performance.md).
	$(BIN)/python -m tests.bench.peers --json build/peers.json $(PEERS_ARGS)

drift-compared: $(VENV)/.dev.stamp warm ## Judge the same windows with other tools (COMPARED_ARGS=--write: into docs/drift-compared.md).
	$(BIN)/python -m tests.bench.drift --json build/drift-compared.json $(COMPARED_ARGS)

format: $(VENV)/.dev.stamp ## Format and fix what can be fixed.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# uv resolves for every supported platform and Python at once; the files name no index.
# What a lock file already holds stays unless LOCK_ARGS=--upgrade is given.
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate -c requirements/constraints.in $(LOCK_ARGS)
# What every command of the product needs, the monitor and the pages of reports among them.
RUNTIME = pyproject.toml --extra monitor --extra reports
lock: ## Compile the locked requirements again (needs uv on the PATH).
	$(LOCK) $(RUNTIME) -o requirements/runtime.txt
	$(LOCK) --group build -c requirements/runtime.txt -o requirements/build.txt
	$(LOCK) $(RUNTIME) --extra local-kafka -c requirements/runtime.txt -o requirements/local-kafka.txt
	$(LOCK) $(RUNTIME) --extra local-kafka --group dev -c requirements/local-kafka.txt -o requirements/dev.txt
	$(LOCK) --group examples -o requirements/examples.txt
	for peer in bytewax evidently faust nannyml quix; do \
		$(LOCK) tests/bench/peers/$$peer/requirements.in -o tests/bench/peers/$$peer/requirements.txt || exit; \
	done

clean: ## Remove what make made.
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
