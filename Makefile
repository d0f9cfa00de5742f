# make app: serve the page at http://127.0.0.1:7860.   make test: run what CI runs.
# Both share $(VENV). make app installs what the page needs, make test adds the developer's tools.
# PYTHON=python3.12 chooses the interpreter (3.10 to 3.13).
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: app test lint

app: $(VENV)/app-installed
	$(BIN)/python app.py

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

$(VENV)/app-installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -e .
	@touch $@

$(VENV)/test-installed: $(VENV)/app-installed
	$(BIN)/python -m pip install -e ".[dev]"
	@touch $@
