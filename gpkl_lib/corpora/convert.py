"""From any form of labelled sentences to any other, and not a span moved."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from gpkl_lib._storage import write_text
from gpkl_lib.corpora.brat import brat_texts
from gpkl_lib.corpora.conll_writers import conll_text, conllu_text
from gpkl_lib.corpora.corpus import CorpusError, Sentence, to_jsonl
from gpkl_lib.corpora.forms import BY_NAME, Form, json_text
from gpkl_lib.corpora.opening import How, open_source
from gpkl_lib.corpora.reading import every_row, form_of, tokenised
from gpkl_lib.corpora.row import Row
from gpkl_lib.corpora.source import Source

SUFFIXES = {".jsonl": "jsonl", ".conll": "conll", ".tsv": "conll", ".conllu": "conllu", ".ann": "brat", ".txt": "brat"}


def convert_corpus(
    path: str | os.PathLike[str], target: str | os.PathLike[str], *, to: str = "", how: How | None = None
) -> int:
    """Write the sentences of one file to another in the form `to`, which its suffix names if it is not given.

    What is written is read again before it takes its place, and compared: all sentences with all spans are there, or
    nothing is written. Text stays text where the form has one; where it has tokens, they are the words or the
    characters of it (`how.tokens`). Tokens become a text with a space between them.

    Returns:
        How many sentences were written.

    Raises:
        CorpusError: a file that cannot be read, a form that cannot hold it; with the sentence.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = Path(tempfile.mkdtemp())
        >>> anna = Sentence(("Anna", "works", "in", "Berlin"), (("PER", 0, 1), ("LOC", 3, 4)))
        >>> write_jsonl(folder / "mine.jsonl", [anna])
        >>> convert_corpus(folder / "mine.jsonl", folder / "mine.conll")
        1
        >>> [line.split() for line in (folder / "mine.conll").read_text("utf-8").splitlines()]
        [['Anna', 'B-PER'], ['works', 'O'], ['in', 'O'], ['Berlin', 'B-LOC'], []]
    """
    target, how = Path(target), how or How()
    to = to or SUFFIXES.get(target.suffix.lower(), "")
    if to not in BY_NAME:
        raise CorpusError(
            f"{target}: the form to write is not known by the name: give one of {', '.join(BY_NAME)} (--to)"
        )
    form, (source, annotations) = BY_NAME[to], open_source(path, how)
    rows = _prepared(_rows(source, how, annotations), form, how.tokens)
    texts = _checked(rows, form, source.name)
    names = [target.with_suffix(".txt"), target.with_suffix(".ann")] if to == "brat" else [target]
    for name, text in zip(names, texts, strict=True):
        write_text(name, text)
    return len(rows)


def written_rows(rows: Sequence[Row], to: str, name: str) -> list[str]:
    r"""Rows with tokens in the form `to`, a text of it (brat: two), read again and compared as by `convert_corpus`.

    Raises:
        CorpusError: a form that cannot hold them; `name` says what does.

    Example:
        >>> written_rows([Row(tokens=["Anna", "works"], spans=[("PER", 0, 1)])], "jsonl", "mine")
        ['{"tokens": ["Anna", "works"], "spans": [[0, 1, "PER"]]}\n']
    """
    form = BY_NAME[to]
    return _checked(_prepared(list(rows), form, "auto"), form, name)


def _checked(rows: list[Row], form: Form, name: str) -> list[str]:
    try:
        texts = _written(rows, form)
        _compare(rows, _again(texts, form))
    except CorpusError as error:
        raise CorpusError(f"{name}: {form.name} cannot hold it: {error}") from None
    return texts


def _rows(source: Source, how: How, annotations: Source | None) -> list[Row]:
    return every_row(source, form_of(source, how, annotations), how, annotations)[0]


def _prepared(rows: list[Row], form: Form, tokens: str) -> list[Row]:
    """Rows with what the form needs: tokens, a text, or both (Prodigy)."""
    if form.of == "text":
        return [row.as_text() for row in rows]
    return [row.with_places() if form.of == "both" else row for row in tokenised(rows, tokens)[0]]


def _written(rows: list[Row], form: Form) -> list[str]:
    if form.name == "brat":
        return list(brat_texts(rows))
    if form.write:
        return [json_text(rows, form)]
    sentences = [Sentence(tuple(row.tokens or ()), tuple(row.spans)) for row in rows]
    return [conll_text(sentences) if form.name == "conll" else conllu_text(sentences)]


def _again(texts: list[str], form: Form) -> list[Row]:
    """What was written, read by the library's own readers."""
    how = How(format=form.name)
    try:
        source, *beside = [Source("what would be written", text.encode()) for text in texts]
    except UnicodeEncodeError:
        raise CorpusError("half of a surrogate pair") from None
    return _prepared(_rows(source, how, beside[0] if beside else None), form, "auto")


def _compare(wanted: list[Row], found: list[Row]) -> None:
    """Refuse what does not come back as it was."""
    for number, (row, again) in enumerate(zip(wanted, found, strict=False), 1):
        if (row.tokens, row.text if row.tokens is None else None) != (
            again.tokens,
            again.text if row.tokens is None else None,
        ):
            raise CorpusError(f"sentence {number} would come back with other tokens or another text")
        if set(row.spans) != set(again.spans):
            raise CorpusError(f"sentence {number} would come back with other spans")
    if len(wanted) != len(found):
        raise CorpusError(f"{len(wanted)} sentences would come back as {len(found)}; one without tokens is lost")


def write_jsonl(path: str | os.PathLike[str], sentences: Iterable[Sentence]) -> None:
    """Write a corpus or sentences in the plain form with "tokens", as UTF-8; the file is there whole or not at all.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> file = Path(tempfile.mkdtemp(), "mine.jsonl")
        >>> write_jsonl(file, toy_corpus(3))
        >>> read_corpus(file).sentences == toy_corpus(3).sentences
        True
    """
    write_text(Path(path), to_jsonl(sentences))
