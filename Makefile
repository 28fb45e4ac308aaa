# Two commands are enough: `make quickstart` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CHECKED := $(VENV)/.checked
# Starting Ray is mostly waiting, so two at a time pay on two cores; a file of tests stays together.
# Three are faster still where nothing else runs. On busy cores Ray then takes too long to start.
PROCESSES ?= 2
# Every run shows where its time went.
PYTEST_ARGS = --durations=25 --durations-min=5 $(PYTEST)
IN_PARALLEL := -n $(PROCESSES) --dist loadfile --no-loadscope-reorder
# CI installs with uv, which takes pip's arguments.
INSTALLER = $(BIN)/pip install
AXE := tests/browser/node_modules/axe-core/axe.min.js
# Tests start hundreds of processes; without bytecode each would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: quickstart gpu-smoke test fast slow-list long-list kills browser lint format clean

# A small real search on drawn faces: both backbones, some five minutes on two cores.
quickstart: $(INSTALLED)
	$(BIN)/fer-tune data import synthetic:900 --out data/synthetic --force
	$(BIN)/fer-tune search quickstart --data data/synthetic

# What only a GPU can show, in some five minutes.
gpu-smoke: $(INSTALLED)
	$(BIN)/fer-tune doctor --gpu

# Everything; `make fast` leaves out what starts Ray or a browser or takes long,
# and `make kills` runs the searches that are killed and resumed alone.
test: $(CHECKED)
	$(BIN)/python -m pytest $(IN_PARALLEL) $(PYTEST_ARGS)

fast: $(CHECKED)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not ray and not slow and not kills and not browser' $(PYTEST_ARGS)

# What `make fast` leaves out besides the marked tests: measured, on a machine that does nothing else.
slow-list: $(CHECKED)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not ray and not kills and not browser' \
		--write-slow-list

# The files that `make test` begins with, so that at its end no process waits for a long one.
long-list: $(CHECKED)
	$(BIN)/python -m pytest $(IN_PARALLEL) --write-long-list $(PYTEST_ARGS)

kills: $(CHECKED)
	$(BIN)/python -m pytest -m kills $(PYTEST_ARGS)

# The report in a real browser. Needs Chromium and npm; without them `make test` skips these.
browser: $(CHECKED) $(AXE)
	BROWSER_TESTS=required $(BIN)/python -m pytest -m browser $(PYTEST_ARGS)

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
	$(INSTALLER) --quiet -c constraints.txt -e .
	touch $@

# One call: what the package itself needs is a part of what its development needs.
$(CHECKED): $(BIN)/python pyproject.toml constraints.txt
	@echo 'Installing into $(VENV): some minutes, several gigabytes'
	$(INSTALLER) --quiet -c constraints.txt -e '.[dev]'
	touch $(INSTALLED) $@

$(AXE): tests/browser/package.json
	npm install --prefix tests/browser --no-package-lock --no-audit --no-fund --silent
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info tests/browser/node_modules
