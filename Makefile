# Everything runs in an environment of its own, made on the first call and reused after that.
#   make demo   install the package, compare the nets on handwritten digits, write report/
#   make test   run the test suite           make lint    check style and types
#   make docs   build docs/_build/html       make bench   run examples/benchmarks/*.py
#   make test-lowest   run the fast tests on the lowest versions that pyproject.toml promises
#   make dist   build wheel and source archive, check them, and try the wheel in a fresh environment
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := $(shell find sklearn_robust -name '*.py')

.PHONY: demo test test-lowest lint docs dist bench compare-attacks sweep-regularization table-clustering table-surface \
	table-training table-models table-bounds clean
.DELETE_ON_ERROR: # an environment made halfway is made again

demo: $(VENV)/installed
	$(BIN)/sklearn-robust compare --data digits --output report
	@echo "The report is in $(CURDIR)/report: open the page there, index.html, in a browser."
	@echo "The command is $(CURDIR)/$(BIN)/sklearn-robust; after '. $(BIN)/activate' it is sklearn-robust."

# A process for each core, of one thread that sleeps when idle: threads that spin would slow all.
test: export OMP_NUM_THREADS = 1
test: export OMP_WAIT_POLICY = passive
test: $(VENV)/installed-test
	$(BIN)/python -m pytest -q -ra --numprocesses auto --maxprocesses 4

# A selection of tests that uses every dependency and takes about three minutes. Warnings are not
# errors here: old releases announce changes that newer ones have made. scikit-learn 1.6 rounds the
# Yeo-Johnson transform badly next to an exponent of 2, so one comparison with it is left out.
LOWEST := $(VENV)-lowest
FAST_TESTS := tests/callbacks tests/clustering tests/datasets tests/differentiable tests/modules \
	tests/plotting tests/metrics/test_robust.py tests/nets/test_components.py \
	tests/nets/_persistence/test_save_load.py \
	--deselect tests/differentiable/transformers/test_scalers.py::test_yeo_johnson_holds_for_any_exponent

test-lowest: export OMP_NUM_THREADS = 1
test-lowest: export OMP_WAIT_POLICY = passive
test-lowest: $(LOWEST)/installed
	$(LOWEST)/bin/python -m pytest -q -ra -W default --numprocesses auto --maxprocesses 4 $(FAST_TESTS)

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/installed-docs
	rm -rf docs/generated
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html
	@echo "The pages are in $(CURDIR)/docs/_build/html: open index.html in a browser."

# The archive of the pages is for machines without a network.
dist: $(BIN)/python
	rm -rf build dist
	$(BIN)/python -m pip install "build>=1.2" "twine>=5"
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*
	if [ -d docs/_build/html ]; then cd docs/_build && $(PYTHON) -m zipfile -c $(CURDIR)/dist/docs.zip html; fi
	$(PYTHON) -m venv dist/trial
	dist/trial/bin/python -m pip install dist/*.whl
	cd dist && trial/bin/sklearn-robust --version && trial/bin/python -c \
	  "from sklearn_robust import NaturalNet, load_net; from sklearn_robust.datasets import load_moons; \
	  X, y = load_moons(); NaturalNet(max_epochs=1).fit(X, y).save('moons.net'); print(load_net('moons.net').score(X, y))"
	rm -rf dist/trial dist/moons.net

# MNIST=mnist.npz and CIFAR10=cifar10.npz spare the download; nets are trained once and kept.
IMAGES = $(if $(MNIST),--mnist $(MNIST)) $(if $(CIFAR10),--cifar10 $(CIFAR10))

bench: $(VENV)/installed-peers
	for script in latency training indicators spectral clustering; do \
	  $(BIN)/python examples/benchmarks/bench_$$script.py || exit 1; done
	$(BIN)/python examples/benchmarks/bench_attacks.py $(IMAGES)

# Takes an hour or two with ARGS=--autoattack; rows that are done are kept.
compare-attacks: $(VENV)/installed-peers
	$(BIN)/python examples/benchmarks/compare_attacks.py $(IMAGES) $(ARGS)

# DATA=mnist.npz sweeps on those images, else on the digits; FULL=1 takes hours, ARGS="--epochs 5".
sweep-regularization: export OMP_NUM_THREADS = 1
sweep-regularization: $(VENV)/installed-test
	$(BIN)/python examples/tables/sweep_regularization.py $(if $(DATA),--data $(DATA)) $(if $(FULL),--full) $(ARGS)

# FULL=1 trains on all images, DATA=mnist.npz on those of a file; ARGS="--seeds 1" and so on.
table-training: export OMP_NUM_THREADS = 1
table-training: $(VENV)/installed-test
	$(BIN)/python examples/tables/table_training.py $(if $(DATA),--data $(DATA)) \
		$(if $(FULL),--n-train 59500 --output report/table-training-full) $(ARGS)

# DATA=mnist.npz trains on those images, else on downloaded ones; ARGS="--epochs 5" and so on.
table-surface: $(VENV)/installed-test
	$(BIN)/python examples/tables/table_surface.py $(if $(DATA),--data $(DATA)) $(ARGS)

# The same for CIFAR-10 and the clusters of classes.
table-clustering: $(VENV)/installed-test
	$(BIN)/python examples/tables/table_clustering.py $(if $(DATA),--data $(DATA)) $(ARGS)

# Robust accuracy from both sides, for sixteen classifiers; ARGS="--samples 20" and so on.
table-bounds: export OMP_NUM_THREADS = 1
table-bounds: $(VENV)/installed-test
	$(BIN)/python examples/tables/table_bounds.py $(ARGS)

# Which public function is right for which kind of model: each cell beside plain torch.
table-models: $(VENV)/installed-test
	$(BIN)/python examples/tables/table_models.py $(ARGS)

clean:
	rm -rf $(VENV) $(LOWEST) build dist report docs/_build docs/auto_examples docs/generated

# Stamps: nothing is installed twice unless what it depends on has changed. `make demo` installs
# the package as a user does, a copy that goes stale with the sources; the other targets install
# it in place, so a fresh copy makes their stamps void.
$(VENV)/installed: pyproject.toml $(SOURCES) | $(BIN)/python
	rm -rf build
	$(BIN)/python -m pip install .
	rm -f $(VENV)/installed-*
	touch $@

$(VENV)/installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --editable ".[$*]"
	touch $@

# torchattacks pins a release of requests from 2020, so it comes without its dependencies.
$(VENV)/installed-peers: $(VENV)/installed-bench
	$(BIN)/python -m pip install --no-deps "torchattacks>=3.5.1"
	touch $@

$(LOWEST)/installed: pyproject.toml .ci/lowest.py
	rm -rf $(LOWEST)
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python .ci/lowest.py > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/python -m pip install --constraint $(LOWEST)/constraints.txt --editable ".[test]"
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
