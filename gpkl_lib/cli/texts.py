"""What `gpkl COMMAND --help` says around the list of arguments."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from gpkl_lib.training import Method

TRAIN = """\
Train a tagger and keep the weights of the epoch with the best F1 on dev.

Without a file it learns the toy corpus: generated English with nested spans. Your own
file is CoNLL (a token and its tags a line; IOB1, IOB2, IOE1, IOE2, BIOES, BMES or
BILOU; several tag columns are layers), JSONL ({"tokens": [...], "spans": [[start, end,
type], ...]}, end exclusive) or another form that gpkl convert --help shows. Without
--dev every tenth sentence of --train is held out as dev. The folder --output then has
best/ (the tagger), history.jsonl (one row an epoch), history.png, scores.json and
checkpoint/ (from which --resume goes on, exactly). At the end a curve from scores to
probabilities is fitted on dev, for gpkl predict --probability.

--config reads arguments from a file: epochs = 5, a line each, or the arguments.json that
every run folder has, which repeats that run.

methods, and what each adds to the cross-entropy (rdrop is another word for sigmoid: two
views, as in the R-Drop paper, with the divergence that fits GlobalPointer):
"""
TRAIN_EXAMPLES = """\
examples:
  gpkl train --method sigmoid --output runs/mine
  gpkl train --train MY.conll --dev MY.dev.conll --test MY.test.conll --output runs/own
  gpkl train --config runs/mine/arguments.json --seed 1 --output runs/again
  gpkl train --train MY.jsonl --encoder FOLDER_OR_HUB_NAME --epochs 3 --output runs/pretrained
  gpkl train --corpus wnut17 --limit-train 500 --output runs/wnut    (GPKL_DATA names the folder with its files)
  gpkl train --method vat --output runs/vat
  gpkl train --method uda --limit-train 100 --unlabelled 100 --output runs/uda
  gpkl train --method distillation --teacher runs/mine --hidden-size 64 --dropout 0.1 --output runs/small
  gpkl train --resume --output runs/mine                             after Ctrl-C, a kill, a power cut
several processes: `torchrun --nproc-per-node 2 -m gpkl_lib train ...`, or `accelerate launch -m gpkl_lib train ...`
"""

COMPARE = """\
Run methods x alphas x warm-ups x seeds on one or more corpora and say which method is
better, and how sure that is. Settings that one method has of its own are varied as well:
--epsilons (vat), --temperatures (uda, distillation), --thresholds and --divides (uda).

Every method is run at every alpha, warm-up and setting of its own with every seed; the
mean F1 on dev chooses among them for each method (the ways to divide in uda and the
temperatures of distillation are compared, each with its own choice), and the table
gives F1 on test at that choice, with the mean difference from `none` over paired seeds
and its 95 % t interval. The verdict on it is "better" or "worse" (a t test, its p-value
adjusted by Holm for the rows of the table), "equivalent" within half a point (two
one-sided tests), or "undecided", with the smallest difference that so many seeds would
have seen with 80 % power. With --tuning-seeds the whole grid is run with these seeds only,
and what dev chooses for each method then with all --seeds.
Every run of a corpus takes equally many optimiser steps (there is no early stopping).
Each finished run is a row of --output, which is JSONL, with what it came from: command,
commit, versions, device, checksums. Start the same command again after an interruption:
it does what is missing. A figure with every seed's point is drawn beside it.

--recipe reads all of it from a TOML file, with the names below as its keys and one
[[runs]] for each comparison: an experiment that stands in a file, beside its rows.
"""
COMPARE_EXAMPLES = """\
examples:
  gpkl compare --methods none sigmoid softmax --alphas 0.3 1 3 --seeds 0 1 2 3 4 --output runs/toy.jsonl
  gpkl compare --corpus wnut17 --corpus mine MY.train MY.dev MY.test --methods none sigmoid --alphas 1 --seeds 0 1 2
  gpkl compare --alphas 0.1 1 10 --alpha-warmups 0 0.5 --seeds 0 1 2 --jobs 2
  gpkl compare --methods none sigmoid vat --alphas 0.1 0.3 1 3 --epsilons 0.03 0.1 0.3 --tuning-seeds 0 1
  gpkl compare --methods none uda --limit-train 50 --unlabelled 500 --divides all confident --alphas 0.1 1 --epochs 60
  gpkl compare --methods none distillation --teacher runs/TEACHER-{seed} --temperatures 1 2 4 8 inf --alphas 0.03 0.1
  gpkl compare --recipe MY.toml    (its rows go to MY.jsonl)
"""

PREDICT = """\
Write the spans that a trained tagger finds in a text.

FILE is plain text, a sentence a line, or in any form that gpkl convert --help shows (its
own spans are not looked at); - reads standard input. How it was understood is said on
standard error. Words and punctuation marks of a text become tokens (a mark or a joiner
stays with its letter), or, with --tokens characters, each of its characters. Row n of the
result is line n of a text.

--write, or the ending of --output, chooses what is written; an ending of no form is refused:
  jsonl  {"text", "tokens", "spans": [[start, end, type], ...], "found": [...]} a line.
         "spans" count tokens from 0, end exclusive: gpkl train, evaluate and convert read
         them. "found" tells the same spans with type, text, start_char and end_char (in
         characters of the line, end exclusive), start_token, end_token and score.
  conll  a token and its tags a line, in as many columns as nested spans need
  brat   two files, OUTPUT.ann and beside it OUTPUT.txt, the text
  html   one page that shows the spans over the text, nested ones too; it needs no network

A score above 0 (or above the threshold that gpkl evaluate --tune-threshold chose) is a
span. A score is no probability; --probability adds one, by a curve fitted on dev.

With --format text or jsonl lines are read as they come and answered 16 batches at a time,
each at once with --batch-size 1; otherwise all of FILE decides what it is.
"""
PREDICT_EXAMPLES = """\
examples:
  echo "Anna met Professor Miller in Oslo." | gpkl predict runs/first -
  gpkl predict runs/first NOTES.txt --output notes.jsonl
  gpkl predict runs/first NOTES.txt --output notes.html --probability
  gpkl predict runs/first NOTES.txt --output notes.ann
  gpkl predict runs/first NOTES.txt --write conll
  tail -n 100 NOTES.txt | gpkl predict runs/first - --format text --batch-size 1
"""

EVALUATE = """\
Precision, recall and F1 of a trained tagger on a file with gold spans (in any form that
gpkl convert --help shows; - is standard input): for each type, their mean over types
(macro), and over all spans (micro). A span counts as found if type, start and end agree
exactly; nested spans count like others. 0/0 is 0.

--errors puts every gold and every predicted span into exactly one class, sentence by
sentence: right; wrong type, on the same tokens; of what is left, wrong boundary, of the
same type and with a token in common, the largest common share first; of what is left,
missed or spurious. A table counts them by type and for spans inside others, another says
which type was taken for which. --output writes all of it with names as JSON, or as a page
with the sentences if the file ends in .html.

--tune-threshold and --calibrate learn from FILE, which should be dev and not test: the
threshold with the best F1, and the curve of predict --probability. Both are kept beside
the weights (decoding.json), and predict and evaluate use them from then on.
"""
EVALUATE_EXAMPLES = """\
examples:
  gpkl evaluate runs/first toy:test
  gpkl evaluate runs/first toy:dev --tune-threshold
  gpkl evaluate runs/first MY.test.conll --errors --output errors.html
  gpkl evaluate runs/wnut wnut17:test --output scores.json
"""


CONVERT = """\
Write labelled sentences in another form, every span at its place. What is written is read
again and compared before it is kept. A text stays a text where OUT has one; where OUT has
tokens they are its words or characters (--tokens). Tokens become a text with one space
between them. Where spans nest, CoNLL gets several columns of tags; a form with one tag a
token refuses them.

forms, and a row of each:
"""
CONVERT_EXAMPLES = """\
examples:
  gpkl convert toy:dev my.conll
  gpkl convert DOCCANO.jsonl my.conll --tokens words
  gpkl convert my.conll my.json --to label-studio
  gpkl convert PREDICTIONS.conll gold.jsonl --tag-column 2
  gpkl convert NOTES.ann notes.jsonl
"""


def methods_text(methods: Iterable[Method]) -> str:
    """A paragraph for each method: its name, how often its divergence counts, what it adds and learns from, alpha."""
    return "\n".join(map(_method_text, methods)) + "\n"


def _method_text(method: Method) -> str:
    counts = {0.0: "", 0.25: "alpha/4 x ", 1.0: "alpha x "}.get(method.factor, f"{method.factor:g} alpha x ")
    source = f" (learns from --{method.needs})" if method.needs else ""
    source += f"; alpha {method.alpha:g} unless it is given" if method.factor else ""
    lead, hang = f"  {method.name:<12}  ", " " * 16
    return textwrap.fill(counts + method.help + source, width=88, initial_indent=lead, subsequent_indent=hang)
