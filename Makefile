# Everything lives in .venv; nothing is installed outside it but Debian packages for the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q

.PHONY: help run test demo bench clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\): [^#]*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## Open the app in the browser's reach; PORT=8000 for another port
	@$(BIN)/tuneloop serve $(if $(PORT),--port $(PORT))

test: $(VENV)/.installed-test ## Lint, type check and test; ends with pytest's own closing line
	@.ci/system
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(PYTEST) -n 2 -m "not browser"
	$(PYTEST) -m browser

demo: $(VENV)/.installed ## Run the whole loop once on the sample data, without a browser
	@$(BIN)/tuneloop loop demo

bench: $(VENV)/.installed-test ## Measure what the project promises; prints a table of numbers
	@$(PYTEST) -s -o python_files='bench_*.py' tests/bench

clean: ## Remove .venv and caches; your data in .tuneloop stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build *.egg-info
	find engine ui spaces tests -name __pycache__ -type d -prune -exec rm -rf {} +

# torch first: on its own, pip may pick the build of this machine's package sources.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing Tuneloop into $(VENV); the first time takes some minutes ..."
	@$(PIP) torch==2.13.0
	@$(PIP) -e '.[postgres]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "Installing the test tools into $(VENV) ..."
	@$(PIP) -e '.[test]'
	@touch $@

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or say: make PYTHON=/path/to/python" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$($(PYTHON) -V 2>&1), but Tuneloop needs 3.11 or newer. Say which: make PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@touch $@
