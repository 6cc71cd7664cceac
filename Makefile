# ReSeek's daily commands. `make` alone lists them. What `setup` does is written in deploy/setup.

# PyTorch's public index of CPU builds; asked only where pip's own settings do not lead to the build.
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu

VENV := .venv
# The CPU lock is for Python 3.11. Another name or path: make setup PYTHON=/path/to/python3.11 (needed once: afterwards
# the environment's own Python does).
PYTHON ?= $(if $(wildcard $(VENV)/bin/python),$(VENV)/bin/python,python3.11)
RUN := $(VENV)/bin/python
# Everything that the demo and the tests need is in the environment: no hub is asked for anything.
OFFLINE := HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1
# Extra words for pytest, as in: make test-fast ARGS="-k grammar -x"
ARGS ?=

# The pure tests on all cores; what tests/integration imports is not even imported.
FAST := -n auto -m "not integration and not long" --ignore tests/integration
# Two launches at a time: each waits for start-ups that use one core.
SIDE_BY_SIDE := -n 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-long lint docs clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: ## Make or mend .venv with the whole CPU stack (one to three minutes once, then nothing to do)
	@command -v "$(PYTHON)" >/dev/null || { echo "make setup: no '$(PYTHON)' here: install Python 3.11 or name one: \
	make setup PYTHON=/path/to/python3.11" >&2; exit 2; }
	@"$(PYTHON)" -m deploy.setup --venv $(VENV) --torch-index $(TORCH_CPU_INDEX)

demo: setup ## Watch an agent search, judge and answer
	@$(OFFLINE) $(RUN) -m reseek demo

# 5: ARGS left no test of that half
test: setup ## Every test except those marked long
	$(OFFLINE) $(RUN) -m pytest $(FAST) $(ARGS) || [ $$? -eq 5 ]
	$(OFFLINE) $(RUN) -m pytest $(SIDE_BY_SIDE) -m "integration and not long" $(ARGS) || [ $$? -eq 5 ]

test-fast: setup ## Tests without JVM, Ray, vLLM, a model or a wait
	$(OFFLINE) $(RUN) -m pytest $(FAST) $(ARGS)

test-long: setup ## The long tests, by hand; STORM=12: the storm of kills alone (12 of the command, 4 of each part)
	$(OFFLINE) RESEEK_STORM=$(or $(STORM),12) $(RUN) -m pytest -m long $(if $(STORM),tests/integration/test_storm.py) $(ARGS)

lint: setup ## Style, types and import contracts
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports

docs: setup ## Build the documentation into build/site; broken links fail
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict --site-dir build/site

clean: ## Remove caches and build leftovers (not .venv, not outputs/)
	rm -rf .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis build dist deploy/setup/vllm-meta/build *.egg-info deploy/setup/vllm-meta/*.egg-info
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
