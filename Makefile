# Every target does its own set-up: a bare machine needs Python >= 3.10.7, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo extras test test-all check format pictures docs package clean
help:          ## Show these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

demo: $(STAMP) ## The main job end to end, in under five minutes
	$(BIN)/halpose demo

extras: $(STAMP) ## What some tests want beyond: moving pictures, a browser, the site; what cannot be had is left out
	-$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[video]'
	-$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[browser]'
	-$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[docs]'

test: $(STAMP) ## The default tests: CPU, offline (set HALPOSE_DATA to include those on real recordings)
	$(BIN)/python -m pytest

test-all: $(STAMP) ## Every test that this machine can run
	$(BIN)/python -m pytest -m "not gpu"

check: $(STAMP) ## Format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP) ## Rewrite the files as `make check` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

pictures: $(STAMP) ## Draw the pictures of the documentation anew
	$(BIN)/python docs/draw/draw.py

docs: $(STAMP) ## Build the documentation into site/, broken links refused
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "site/index.html; with search: $(PYTHON) -m http.server -d site"

package: $(STAMP) ## Build sdist and wheel into dist/, install the wheel elsewhere, and use it
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt build
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m pytest tests/test_package.py -m slow

clean:         ## Remove the virtual environment and caches
	rm -rf $(VENV) site dist .mypy_cache .pytest_cache .ruff_cache
