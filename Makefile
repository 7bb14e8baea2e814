# `make train` and `make test` work on a fresh clone: they make .venv and install what they need.
# `make tfx` and `make test-tfx` do so with .venv-tfx, 3.5 GB, which nothing else needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TFX_VENV := .venv-tfx
TFX_BIN := $(TFX_VENV)/bin
TFX_OWN := ml-metadata==1.21.0 tensorflow-data-validation==1.21.0
TFX_OLDER := tfx==1.21.0 ml-pipelines-sdk==1.21.0 tfx-bsl==1.21.0 tensorflow-transform==1.21.0 \
	tensorflow-model-analysis==0.52.0 ml-metadata==1.17.1 tensorflow-data-validation==1.16.1
# Some of the other tests: TFX has other versions of pandas and protobuf.
TFX_TESTS := tests/tfx tests/test_evaluator.py tests/test_schema.py tests/test_transform.py \
	tests/test_statistics_gen.py tests/test_example_validator.py tests/figures/test_figure_content.py \
	tests/serving tests/test_pusher.py

# A process for each core, up to four: each holds a few GB.
SIDE_BY_SIDE := --numprocesses=logical --maxprocesses=4

.PHONY: train test test-faults lint format bench reproduce tfx test-tfx clean

train: $(VENV)/.installed
	$(BIN)/python -m tfseq.train --model=seqnet

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) --dist=loadfile --no-loadscope-reorder

# Kills, damaged data, full disks.
test-faults: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/faults

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-test
	$(BIN)/python -m benchmarks.run

# The runs of docs/why.md and docs/results.md, hours of them; what is done is not done again.
reproduce: $(VENV)/.installed
	$(BIN)/python -m benchmarks.reproduce

tfx: $(TFX_VENV)/.installed

test-tfx: $(TFX_VENV)/.installed
	$(TFX_BIN)/python -m pytest $(TFX_TESTS)

clean:
	rm -rf $(VENV) $(TFX_VENV) build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python setup.cfg pyproject.toml
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.installed-test: $(VENV)/bin/python setup.cfg pyproject.toml
	$(BIN)/pip install --quiet --editable ".[test]"
	touch $@ $(VENV)/.installed

$(TFX_VENV)/bin/python:
	$(PYTHON) -m venv $(TFX_VENV)

$(TFX_VENV)/.installed: $(TFX_VENV)/bin/python setup.cfg pyproject.toml tfx-requirements.txt
	if $(TFX_BIN)/pip install --quiet --dry-run --no-deps --only-binary=:all: $(TFX_OWN) 2>/dev/null; then \
		$(TFX_BIN)/pip install --quiet --editable ".[tfx,test-tfx]"; \
	else \
		$(TFX_BIN)/pip install --quiet --editable ".[test-tfx]" --requirement tfx-requirements.txt && \
		$(TFX_BIN)/pip install --quiet --no-deps $(TFX_OLDER); \
	fi
	touch $@
