# `make train` and `make test` work on a fresh clone: they make .venv and install what they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: train test lint format bench clean

train: $(VENV)/.installed
	$(BIN)/python -m tfseq.train --model=cnn

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-test
	$(BIN)/python -m benchmarks.run

clean:
	rm -rf $(VENV) build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python setup.cfg pyproject.toml
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.installed-test: $(VENV)/bin/python setup.cfg pyproject.toml
	$(BIN)/pip install --quiet --editable ".[test]"
	touch $@ $(VENV)/.installed
