# Two commands are all the set-up there is: `make demo` and `make test`.
# Each makes the environment it needs, once, in $(VENV).

PYTHON ?= python3
VENV ?= .venv
CIFAR10 ?= ../shared/data/cifar10
BOX := src/wordsight/models/cifar10
BOX_OPTIONS ?= --features conv --width 32 --epochs 60 --novelty gaussian --temperature auto \
	--unseen-classifier centred
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --constraint constraints.txt

.PHONY: help demo test test-slow lint bench box clean

help:
	@echo 'make demo       learn, predict and draw on the synthetic pictures in the package'
	@echo 'make test       the fast tests (under five minutes)'
	@echo 'make test-slow  the slow tests, among them the ones on real images'
	@echo 'make lint       ruff, mypy, the layers'
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

demo: $(VENV)/.installed
	$(BIN)/wordsight demo --out demo --overwrite

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks

box: $(VENV)/.installed
	$(BIN)/wordsight fit $(CIFAR10) $(BOX_OPTIONS) --precision float16 --out $(BOX) --overwrite
	$(BIN)/wordsight evaluate $(BOX) $(CIFAR10) --update-card

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
