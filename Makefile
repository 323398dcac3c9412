# Every target works alone, in any order, and again. The virtual environment is made once per constraints file.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Debian and Ubuntu ship Python without venv; as root the package is installed, otherwise its name is told.
VENV_PACKAGE = test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv

.PHONY: demo test acceptance images check generated bench clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       a certified model in the registry, from nothing, in minutes"
	@echo "make test       every test but the following"
	@echo "make acceptance the wheel, containers, services of other makers; as root, it installs and starts what it needs"
	@echo "make images     the image of the components, with its bill of materials; VARIANT=cuda for GPUs"
	@echo "make check      format, lint, types, import contracts, generated files"
	@echo "make generated  component.yaml files, compiled pipelines, recipe schema"
	@echo "make bench      benchmarks; their figures go to tests/bench/results"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON="; exit 1; }
	@test -x $(BIN)/python && $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  $(PYTHON) -m venv --clear $(VENV) || { $(VENV_PACKAGE) && $(PYTHON) -m venv --clear $(VENV); } || \
	  { echo "cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "installing into $(VENV): some gigabytes, a few minutes the first time"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: $(READY)
	$(BIN)/sentei run fashion-mnist

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile

acceptance: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m acceptance tests/wheel tests/acceptance tests/pipeline tests/services
	$(BIN)/python -m pytest -m acceptance tests/containers

images: $(READY)
	$(BIN)/python -m components.image.build $(VARIANT)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pipelines.generate --check
	$(BIN)/python -m components.image.lock --check

generated: $(READY)
	$(BIN)/python -m pipelines.generate
	$(BIN)/python -m components.image.lock

bench: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) .sentei released mlartifacts mlflow.db
