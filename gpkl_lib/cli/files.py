"""How files are read, as arguments of every command; and `gpkl convert`, which only reads and writes them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from gpkl_lib.cli.outputs import ready
from gpkl_lib.corpora import FORMS, TOKENS, How, convert_corpus, visible

NAMES = tuple(form.name for form in FORMS)


def add_reading(parser: argparse.ArgumentParser | argparse._ArgumentGroup, what: str, *, text: bool = False) -> None:
    """Add how a file is to be read; `text` where it may be plain text."""
    formats = ("auto", *(["text"] if text else []), *NAMES)
    parser.add_argument(
        "--format", choices=formats, metavar="FORM", default="auto", help=f"{what}: {', '.join(formats)}"
    )
    parser.add_argument("--encoding", metavar="NAME", default="utf-8", help=f"{what}; cesu-8: surrogates in UTF-8")
    parser.add_argument(
        "--tokens", choices=TOKENS, default="auto", help="of texts; auto: characters where most letters are Han or Kana"
    )
    parser.add_argument("--token-column", metavar="N", type=int, help="of CoNLL, from 1; else found from the file")
    parser.add_argument("--tag-column", metavar="N", type=int, nargs="+", help="likewise; several are united")
    parser.add_argument("--tag-names", metavar="TAG", nargs="+", help="that numbers stand for, in order")


def how(arguments: argparse.Namespace, *, labels: bool = True) -> How:
    """How a file is to be read, by the arguments; a run from before some of them has none."""
    asked = vars(arguments)
    return How(
        format=asked["format"],
        encoding=asked["encoding"],
        tokens=asked.get("tokens", "auto"),
        token_column=asked.get("token_column"),
        tag_columns=tuple(asked.get("tag_column") or ()),
        tag_names=tuple(asked.get("tag_names") or ()),
        labels=labels,
    )


def add_convert(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `gpkl convert`."""
    parser.add_argument("file", metavar="IN", help="what to read; - is standard input")
    parser.add_argument("output", metavar="OUT", help="file to write; brat: the .ann, its .txt is written beside it")
    parser.add_argument("--to", choices=NAMES, metavar="FORM", help=f"of OUT, else by its name: {', '.join(NAMES)}")
    add_reading(parser, "of IN")


def convert(arguments: argparse.Namespace, words: Sequence[str]) -> None:
    """Write a file of labelled sentences in another form: `gpkl convert`."""
    ready(arguments.output, "OUT")
    written = convert_corpus(arguments.file, arguments.output, to=arguments.to or "", how=how(arguments))
    print(f"{visible(arguments.output)}: {written:,} sentences", file=sys.stderr)
