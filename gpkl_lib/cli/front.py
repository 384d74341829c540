"""`gpkl --help`: what the command is for, and the names of its parts."""

from __future__ import annotations

import argparse
from importlib.metadata import version

COMMANDS = {
    "train": "train a tagger on a corpus",
    "compare": "compare methods over seeds",
    "predict": "find the spans of sentences",
    "evaluate": "score a tagger on a file",
    "convert": "write sentences in another form",
}
MAIN = """\
Find spans in text with GlobalPointer, trained with or without R-Drop and its relatives.

R-Drop shows every sentence to the model twice under different dropout and adds alpha/4
times a divergence D of the two score matrices to the loss. Virtual adversarial training
(vat), unsupervised data augmentation (uda) and distillation ask for agreement with
another view, other sentences, another model. The commands train such a tagger, compare
ways of training it, and use it.
"""
MAIN_EXAMPLES = """\
a first minute, without a file of your own:
  gpkl train --output runs/first                     a tagger of the built-in toy corpus
  echo "Professor Miller of the University of Berlin lives near Lake Garda." > notes.txt
  gpkl predict runs/first notes.txt                  its spans, a line of JSON for a line of text
  gpkl predict runs/first notes.txt --output notes.html     a page to look at
  gpkl evaluate runs/first toy:test --errors         what it finds, misses and confuses

Your own text: gpkl train --train FILE, with a token and its tag a line, or another form
that gpkl convert --help shows; then predict with the folder that it names.

gpkl COMMAND --help explains each command. In examples, words in CAPITALS are for you to
fill in; toy:train, toy:dev and toy:test stand for files wherever a labelled file is read.

exit codes: 0 done; 2 wrong usage or input, said in one line; 130 interrupted
"""


def outline(
    *, with_commands: bool = False
) -> tuple[argparse.ArgumentParser, argparse._SubParsersAction[argparse.ArgumentParser]]:
    """The parser of `gpkl`, and its group of commands, empty or with their names alone."""
    parser = argparse.ArgumentParser(
        prog="gpkl", description=MAIN, epilog=MAIN_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"gpkl {version('gpkl-lib')}")
    group = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, line in COMMANDS.items() if with_commands else ():
        group.add_parser(name, help=line)
    return parser, group
