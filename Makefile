PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: install demo demo-all test test-fast lint bench bench-gpu docs lock dag

install: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -c 'import shutil, sys; free = shutil.disk_usage(".").free / 1e9; sys.exit(0 if free > 8 else f"$(VENV): {free:.1f} GB are free here, the environment takes 8 (most of it CUDA): make room, or clone onto another disk")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

# StyleInV and one baseline.
demo: install
	@python workflow/scripts/demo.py --config 'methods=[styleinv,stylegan_v]'

# All methods of config/config.yaml; what `make demo` has made is there already.
demo-all: install
	@python workflow/scripts/demo.py

test: install
	OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 25

# Everything that takes seconds; the rest are the tests marked `slow`.
test-fast: install
	OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow and not slurm"

lint: install
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile workflow
	snakemake --lint
	python workflow/scripts/dvc_sync.py check

bench: install
	python -m benchmarks

# What a GPU computes is right, then how fast it is: at most nine minutes; the same command goes on.
bench-gpu: install
	python -m benchmarks.gpu

# The pages of docs/ as a site, results/site/index.html.
docs: install
	NO_MKDOCS_2_WARNING=1 python -m mkdocs build --quiet
	@echo results/site/index.html

# Resolve pyproject.toml into requirements.lock (needs uv).
lock:
	uv pip compile pyproject.toml --extra dev --python-version 3.11 -o requirements.lock --custom-compile-command "make lock" --quiet

# The picture in the README (needs graphviz).
dag: install
	snakemake demo --cores 1 --forceall --rulegraph 2>/dev/null | sed -n "/^digraph/,\$$p" | dot -Tsvg > docs/dag.svg
