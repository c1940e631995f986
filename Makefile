# Each target makes the environment it needs: Python 3.11 or newer, make and a C compiler are all it asks for.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/ready

.PHONY: help setup demo test test-full check docs bench bench-accuracy bench-agreement bench-sim zoo-table links clean

help:
	@echo "make demo       compile the trained LeNet-5, run it three ways, print its costs"
	@echo "make test       the tests (under 4 minutes)      make test-full  the longer tests"
	@echo "make check      lint, format, types, generated pages up to date"
	@echo "make docs       write the generated pages        make bench      benchmarks against peers"
	@echo "make bench-sim [MODELS=...]  time and memory of compiler and simulator; cycles beside Vela's"
	@echo "make bench-agreement MODELS=...  bits of interpreter, C and simulator on networks of a folder and the zoo"
	@echo "make bench-accuracy DIGITS=... NETWORKS=... MODELS=... DATA=...  what quantization costs, beside plain rounding"
	@echo "make zoo-table  weights and MACs of the example networks"
	@echo "make setup      the environment in $(VENV)         make clean      remove what was built"

setup: $(READY) links

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# Type checkers do not follow the package mapping of pyproject.toml; these links show them the package as it is imported.
LINKS := build/links/dnnc
links:
	@rm -rf $(LINKS) && mkdir -p $(LINKS)
	@for part in ir passes frontend backends tools/zoo tools/dnnc/*; do ln -s ../../../$$part $(LINKS)/$${part##*/}; done

demo: $(READY)
	$(PY) -m dnnc.demo

test: $(READY)
	$(PY) -m pytest

test-full: $(READY)
	$(PY) -m pytest -m full

check: $(READY) links
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m basedpyright
	$(PY) -m tools.docs --check

docs: $(READY)
	$(PY) -m tools.docs

bench: $(READY)
	$(PY) -m tools.bench

bench-sim: $(READY)
	$(PY) -m tools.bench.simulator $(if $(MODELS),--models $(MODELS))

# MODELS: a folder of folders with model.onnx and input_*.npy; DATA: a folder of .npz with more samples for them.
bench-agreement: $(READY)
	$(PY) -m tools.bench.agreement $(MODELS) $(if $(DATA),--data $(DATA))

# DIGITS: .npz of x [N, 28, 28] and y; NETWORKS: float .onnx trained on its first 7000; MODELS, DATA: MLPerf Tiny's networks and samples
bench-accuracy: $(READY)
	$(PY) -m tools.bench.accuracy $(if $(DIGITS),--digits $(DIGITS) --networks $(NETWORKS)) \
	  $(if $(MODELS),--models $(MODELS) --data $(DATA))

zoo-table: $(READY)
	$(VENV)/bin/dnnc report --zoo

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
