# Needs make and Python 3.11 or newer with pip and venv. Everything else goes into $(VENV), but for
# Chromium, in which the page of a run is tested, and which is installed if it is not there.
# Another interpreter: make PYTHON=python3.12 setup

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
INSTALLED := $(VENV)/.installed
INSTALLED_BENCH := $(VENV)/.installed-bench
INSTALLED_REPRODUCE := $(VENV)/.installed-reproduce
INSTALLED_BROWSER := $(VENV)/.installed-browser
BENCHMARKS := artifacts cluster decode device distortions epoch executor forward memory mixture recipe scaling \
    service startup sweep training tree_sweep trees

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench reproduce clean

help: ## List these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
	    while IFS='|' read -r name text; do printf '%-18s %s\n' "$$name" "$$text"; done

setup: $(INSTALLED) ## Install mixqual with its demo and its development tools into .venv

demo: $(INSTALLED) ## Train, evaluate and report the small study on real photographs
	$(BIN)/mixqual run studies/elpv_demo.toml --out runs/elpv_demo

test: $(INSTALLED) $(INSTALLED_BROWSER) ## Run the tests
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

check: $(INSTALLED) ## Lint, check the format, the types and the direction of the imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED_BENCH) ## Measure the speed against other libraries (an hour), and write it down
	@# Each in a process of its own. Not indexing, which writes 100,000 files, nor backbones.
	@for name in $(BENCHMARKS); do echo $$name && \
	    $(BIN)/mixqual bench $$name --json >benchmarks/$$name.new && \
	    mv benchmarks/$$name.new benchmarks/$$name.json || exit 1; done
	$(BIN)/python benchmarks/publish.py

reproduce: $(INSTALLED_REPRODUCE) ## Make the committed results again (hours); a killed run goes on
	$(BIN)/mixqual run studies/elpv.toml --out runs/elpv --publish results/elpv
	$(BIN)/mixqual run studies/elpv_224.toml --out runs/elpv_224 --publish results/elpv_224
	$(BIN)/mixqual run studies/elpv_five.toml --out runs/elpv_five --reuse runs/elpv --publish results/elpv_five
	$(BIN)/mixqual run studies/elpv_patch.toml --out runs/elpv_patch --reuse runs/elpv --publish results/elpv_patch
	$(BIN)/mixqual run studies/elpv_trees.toml --out runs/elpv_trees --reuse runs/elpv --publish results/elpv_trees
	$(BIN)/python studies/digits.py data/digits
	$(BIN)/mixqual run studies/digits.toml --out runs/digits --publish results/digits

clean: ## Remove .venv, caches and build products; runs/, results/ and data/ stay
	rm -rf $(VENV) build dist src/*.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo 'mixqual needs Python 3.11 or newer; name one: make PYTHON=python3.12 setup' >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || \
	    { echo 'cannot make a virtual environment; on Debian: apt install python3-venv' >&2; exit 1; }
	$(PIP_INSTALL) -e '.[demo,dev]'
	@touch $@

$(INSTALLED_BROWSER): $(INSTALLED)
	@if command -v chromium; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get; then \
	    apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else $(BIN)/playwright install chromium; fi
	@touch $@

$(INSTALLED_REPRODUCE): $(INSTALLED)
	$(PIP_INSTALL) -e '.[reproduce]'
	@touch $@

$(INSTALLED_BENCH): $(INSTALLED)
	$(PIP_INSTALL) -e '.[bench]'
	@# It asks for opencv-python, which would overwrite opencv-python-headless.
	$(PIP_INSTALL) --no-deps imagecorruptions==1.1.2
	@touch $@
