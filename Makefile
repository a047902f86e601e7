# Set-up is one command: `make install`, `make demo` or `make test`.
# Each makes the environment it needs, once, in $(VENV).

PYTHON ?= python3
VENV ?= .venv
CIFAR10 ?= ../shared/data/cifar10
BOX := src/wordsight/models/cifar10
BOX_OPTIONS ?= --features conv --width 32 --epochs 60 --novelty energy --temperature auto \
	--unseen-classifier centred
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --constraint constraints.txt

.PHONY: help install demo test test-slow lint docs bench box clean

help:
	@echo 'make install    the package and its command, $(BIN)/wordsight'
	@echo 'make demo       learn, predict and draw on the synthetic pictures in the package'
	@echo 'make test       the fast tests (under five minutes)'
	@echo 'make test-slow  the slow tests, among them the ones on real images'
	@echo 'make lint       ruff, mypy, the layers'
	@echo 'make docs       the documentation as a site, in site/'
	@echo 'make bench      the benchmarks'
	@echo 'make box        the model in the package, anew, from the images at $$(CIFAR10)'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[dev]'
	@touch $(VENV)/.installed $@

install: $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/wordsight demo --out demo --overwrite

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m 'slow and not alone' --numprocesses auto --dist loadfile \
		--no-loadscope-reorder
	$(BIN)/python -m pytest -m alone

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# the notebooks are run along the way; --quiet would hide warnings from --strict, too
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --site-dir site
	$(BIN)/python docs/_site/check.py site

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks

box: $(VENV)/.installed
	$(BIN)/wordsight fit $(CIFAR10) $(BOX_OPTIONS) --precision float16 --out $(BOX) --overwrite
	$(BIN)/wordsight evaluate $(BOX) $(CIFAR10) --update-card

clean:
	rm -rf $(VENV) demo site build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
