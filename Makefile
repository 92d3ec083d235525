# Everything lives in .venv; nothing is installed outside it but Debian packages for the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q

.PHONY: help run test proof demo bench loopbench docs clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\): [^#]*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## Start the web app; PORT=8000 for another port
	@$(BIN)/tuneloop serve $(if $(PORT),--port $(PORT))

test: $(VENV)/.installed-test ## Run linters, type checks and all tests
	@.ci/system
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	.ci/tests $(BIN)/python

proof: $(VENV)/.installed-test ## Repeat the slowest proofs more often: more seeds, kills and samples
	$(PYTEST) -s -n 2 -m proof

demo: $(VENV)/.installed ## Run the whole loop once on sample data, with simulated raters
	@$(BIN)/tuneloop loop demo

bench: $(VENV)/.installed-test ## Measure speed, memory and accuracy of estimates; prints tables
	@$(PYTEST) -s -o python_files='bench_*.py' -o faulthandler_timeout=0 tests/bench

loopbench: $(VENV)/.installed-test ## Compare losses by the votes that a shown win takes; goes on where it was cut
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.loopbench $(ARGS)

docs: $(VENV)/.installed ## Write the reference pages of the guide from the code
	@$(BIN)/python -m engine.cli.reference ui/guide

clean: ## Remove .venv and caches; data in .tuneloop is kept
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build *.egg-info
	find engine ui spaces tests -name __pycache__ -type d -prune -exec rm -rf {} +

# torch first: on its own, pip may pick the build of this machine's package sources.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing Tuneloop into $(VENV); this takes a few minutes the first time ..."
	@$(PIP) torch==2.13.0
	@$(PIP) -e '.[postgres]'
	@$(PIP) -e '.[gguf]' || echo "No llama.cpp for this machine: exports to GGUF are made, but not compared."
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "Installing the test tools into $(VENV) ..."
	@$(PIP) -e '.[test]'
	@touch $@

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$($(PYTHON) -V 2>&1), but Tuneloop needs 3.11 or newer. Name one: make PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@touch $@
