"""Texts to predict, in any form: row n is line n, with its own characters; read as they come if the form is given."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from gpkl_lib.corpora.corpus import CorpusError
from gpkl_lib.corpora.forms import json_rows
from gpkl_lib.corpora.json_values import json_values
from gpkl_lib.corpora.opening import How, open_source
from gpkl_lib.corpora.reading import every_row, form_of, tokenised
from gpkl_lib.corpora.row import Row
from gpkl_lib.corpora.text import token_kind

COMING = ("text", "jsonl")
"""Forms whose every line stands for itself."""


@dataclass
class Texts:
    """Rows with tokens, for `Tagger.stream`.

    Attributes:
        name: of the file, for messages.
        source: how it was understood, in words.
        rows: one a line of plain text, a sentence of CoNLL, a value of JSON; to be gone over once.
        count: how many rows there are; None where they are read as they come.

    Example:
        >>> texts = Texts("mine.txt", "plain text", [Row(tokens=["Anna", "works"])], count=1)
        >>> [row.tokens for row in texts.rows]
        [['Anna', 'works']]
    """

    name: str
    source: str
    rows: Iterable[Row]
    count: int | None = None


def read_texts(
    path: str | os.PathLike[str], how: How, *, ahead: int = 1, progress: Callable[[int, int], None] | None = None
) -> Texts:
    r"""The rows of a file to predict, whose own labels are not looked at.

    A file whose form is to be found is read whole, for all of it decides. With the form "text" or "jsonl" its lines are
    read as they come, so that a pipe may have no end.

    Args:
        path: as `read_corpus` takes it.
        how: how to read it; `labels` False.
        ahead: rows to read before the kind of tokens is settled, where the file is read as it comes.
        progress: is told how many bytes of how many are read, of a file that is read whole.

    Raises:
        CorpusError: a file that cannot be read; where it is read as it comes, when its line does.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> file = Path(tempfile.mkdtemp(), "mine.txt")
        >>> _ = file.write_text("Anna works.\nShe left.\n", "utf-8")
        >>> [row.tokens for row in read_texts(file, How(format="text", labels=False)).rows]
        [['Anna', 'works', '.'], ['She', 'left', '.']]
    """
    if how.format in COMING and "\n".encode(how.encoding.replace("cesu", "utf")) == b"\n" and _is_file(path):
        return _coming(os.fspath(path), how, ahead)
    source, annotations = open_source(path, how, progress)
    found = form_of(source, how, annotations)
    rows, understood = every_row(source, "text" if found == "brat" else found, how, annotations)
    rows, kind = tokenised(rows, how.tokens, blank=found not in ("text", "brat"))
    return Texts(source.name, understood + kind, rows, len(rows))


def _is_file(path: str | os.PathLike[str]) -> bool:
    return os.fspath(path) == "-" or Path(path).is_file()


def _coming(path: str, how: How, ahead: int) -> Texts:
    name = "standard input" if path == "-" else path
    rows = (_text if how.format == "text" else _json)(_lines(path, name, how.encoding), name, how)
    first = list(islice(rows, ahead))
    texts = [row.text or "" for row in first if row.tokens is None]
    kind, blank = token_kind(texts, how.tokens), how.format != "text"
    words = f", {kind} as tokens" if texts else ""
    said = "plain text" if how.format == "text" else "JSONL"
    every = (row.tokenised(kind, blank=blank) for row in chain(first, rows))
    return Texts(name, f"{said}{words}, read as it comes", every)


def _lines(path: str, name: str, encoding: str) -> Iterator[tuple[int, str]]:
    """(number, line without its end) of a file, a line at a time."""
    surrogates = encoding.lower().startswith("cesu")
    with nullcontext(sys.stdin.buffer) if path == "-" else open(path, "rb") as file:
        for number, data in enumerate(file, 1):
            try:
                if surrogates:
                    data, encoding = data.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass"), "utf-16"
                line = data.decode(encoding)
            except UnicodeError as error:
                raise CorpusError(f"{name}:{number}: expected another encoding: {error}; give --encoding") from None
            line = line.removesuffix("\n").removesuffix("\r")
            yield number, line.removeprefix("\ufeff") if number == 1 else line


def _text(lines: Iterator[tuple[int, str]], name: str, how: How) -> Iterator[Row]:
    return (Row(text=line, line=number) for number, line in lines)


def _json(lines: Iterator[tuple[int, str]], name: str, how: How) -> Iterator[Row]:
    for number, line in lines:
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            for _, value in json_values(line, where):
                for row in json_rows(value, form=how.format, labels=False):
                    row.line = number
                    yield row
        except CorpusError as error:
            message = str(error).removeprefix(f"{where}:1: ").removeprefix(where)
            raise CorpusError(f"{where}: {message}") from None
