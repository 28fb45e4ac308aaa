# Two commands are enough: `make quickstart` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CHECKED := $(VENV)/.checked

.PHONY: quickstart test lint format clean

# A small real search on drawn faces: both backbones, about five minutes on two cores.
quickstart: $(INSTALLED)
	$(BIN)/fer-tune data import synthetic:900 --out data/synthetic --force
	$(BIN)/fer-tune search quickstart --data data/synthetic

test: $(CHECKED)
	$(BIN)/python -m pytest $(PYTEST)

lint: $(CHECKED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(CHECKED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)

$(INSTALLED): $(BIN)/python pyproject.toml constraints.txt
	@echo 'Installing into $(VENV): some minutes, several gigabytes'
	$(BIN)/pip install --quiet -c constraints.txt -e .
	touch $@

$(CHECKED): $(INSTALLED)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
