# make demo   an invented city at http://127.0.0.1:8050
# make test   everything that CI runs
# make help   the rest

PYTHON ?= python3
CITY ?= demo-city
PRESET ?= demo
PORT ?= 8050
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test install install-test system lint types imports unit laws bench clean-kernels clean

help: ## say what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 20

demo: install ## build the invented city where none is there, and serve it
	@test -f $(CITY)/city.gpkg || $(BIN)/wangge demo --preset $(PRESET) --workspace $(CITY)
	@echo "Serving $(CITY) at http://127.0.0.1:$(PORT) (stop with Ctrl-C)"
	@$(BIN)/wangge serve --workspace $(CITY) --port $(PORT)

test: system install-test lint types imports unit ## install what the tests need and run everything

install: $(VENV)/.installed ## make .venv and install the product

install-test: $(VENV)/.installed-test ## the same, with what the tests need

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/.installed

system: ## Chromium, a Chinese font, mosquitto and GDAL's checker, from Debian
	@bash tests/system.sh

lint: install-test ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-test ## mypy, strict on geo and layers
	$(BIN)/mypy

imports: install-test ## dashboards -> layers -> geo
	$(BIN)/lint-imports

TWO_AT_ONCE := --numprocesses=2 --dist=loadfile --no-loadscope-reorder

unit: install-test ## pytest: laws, real data, notebooks, real browser; warnings are errors
	$(BIN)/python -m pytest $(TWO_AT_ONCE) --durations=25

laws: install-test ## the laws alone, on examples that nobody has tried yet
	$(BIN)/python -m pytest $(TWO_AT_ONCE) --hypothesis-profile=draw -m hypothesis

bench: install-test ## the figures of docs/performance.md
	$(BIN)/python benchmarks/locate.py
	$(BIN)/python benchmarks/command_page.py
	$(BIN)/python benchmarks/one_click.py
	$(BIN)/python benchmarks/casebook.py
	$(BIN)/python benchmarks/live.py
	$(BIN)/python benchmarks/fixes.py
	$(BIN)/python benchmarks/reach.py
	$(BIN)/python benchmarks/redraw.py
	$(BIN)/python benchmarks/editor.py
	$(BIN)/python benchmarks/divide.py
	$(BIN)/python benchmarks/heat.py
	$(BIN)/python benchmarks/hotspots.py
	$(BIN)/python benchmarks/compare.py
	$(BIN)/python benchmarks/ingest.py --seconds 300
	$(BIN)/python benchmarks/soak.py

clean-kernels: ## forget compiled kernels
	rm -f geo/__pycache__/*.nb[ci]

clean: clean-kernels ## remove what was made here, but no city
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
