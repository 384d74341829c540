"""From a path or a known name to a corpus: bytes, encoding, form."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from gpkl_lib.corpora.brat import parse_brat
from gpkl_lib.corpora.conll import parse_conll
from gpkl_lib.corpora.corpus import Corpus, CorpusError, Oddities, Sentence
from gpkl_lib.corpora.forms import BY_NAME, json_rows
from gpkl_lib.corpora.json_values import json_values, looks_like_json
from gpkl_lib.corpora.opening import How, open_source
from gpkl_lib.corpora.row import Row
from gpkl_lib.corpora.source import Source
from gpkl_lib.corpora.tags import decode_tags, detect_scheme, is_tag, prefixed
from gpkl_lib.corpora.text import Tokens, text_lines, token_kind

TABLES = (".conll", ".conllu", ".iob", ".iob2", ".bio", ".bioes")
JSON = (".jsonl", ".json", ".ndjson")


def read_corpus(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",
    encoding: str = "utf-8",
    tokens: Tokens = "auto",
    token_column: int | None = None,
    tag_columns: Sequence[int] = (),
    tag_names: Sequence[str] = (),
    labels: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    r"""Read a corpus from a file, or a known one by its name.

    Args:
        path: a file; "-" for standard input; or a known name, "wnut17:train", "germeval2014:dev", ...: these are looked
            for in the folder that the environment variable GPKL_DATA names, and their sha256 is checked.
        format: one of FORMATS. "auto" finds the form from the file; "any" does so too, and takes for plain text, a
            sentence a line, what has no other form.
        encoding: of the file, or "cesu-8" (surrogates written as UTF-8). A byte-order mark is dropped and counted.
        tokens: of a text: its "words", its "characters" (code points), or by "auto" characters where most letters are
            Han or Kana.
        token_column, tag_columns: of a CoNLL file, from 1; found from the file where they are not given.
        tag_names: the names of tags that the file gives as numbers, in order.
        labels: False for sentences to predict, whose own labels are not looked at.
        progress: is told how many bytes of how many are read.

    Returns:
        The corpus. Nothing in the file is dropped silently; what is unusual stands in `oddities`.

    Raises:
        CorpusError: no such file (with the place to get a known one), bytes in another encoding (with their offset), a
            line that cannot be read (with its number), labels in no known form.
        ValueError: unknown format or kind of tokens.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> file = Path(tempfile.mkdtemp(), "mine.conll")
        >>> _ = file.write_text("Anna B-PER\nworks O\n\nin O\nBerlin B-LOC\n", "utf-8")
        >>> corpus = read_corpus(file)
        >>> corpus.source
        'CoNLL, columns by spaces: token, IOB2 tags'
        >>> [sentence.spans for sentence in corpus]
        [(('PER', 0, 1),), (('LOC', 1, 2),)]
    """
    how = How(format, encoding, tokens, token_column, tuple(tag_columns), tuple(tag_names), labels)
    source, annotations = open_source(path, how, progress)
    oddities = Oddities()
    if source.marked:
        oddities.add("byte-order mark", 1)
    if source.only_cr:
        oddities.add("line ending in CR alone", 1, source.data.count(b"\r"))
    if not source.data.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n"):
        oddities.add("empty file", 1)
    found = form_of(source, how, annotations)
    if found == "conll":
        with _no_collections():
            sentences, understood = parse_conll(
                source.lines(), source.name, oddities, token_column=token_column, tag_columns=tag_columns, labels=labels
            )
    else:
        rows, understood = every_row(source, found, how, annotations)
        rows, kind = tokenised(rows, tokens, blank=found != "text")
        sentences, understood = to_sentences(rows, oddities), understood + kind
    return Corpus(
        source.name,
        sentences,
        sha256=source.sha256,
        oddities=dict(oddities.counts),
        first_lines=oddities.first_lines,
        source=understood,
    )


@contextmanager
def _no_collections() -> Iterator[None]:
    """No garbage collector inside: it would look at millions of new tuples again and again, and find none to free."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def form_of(source: Source, how: How, annotations: Source | None) -> str:
    """What was asked for, or what the name and the whole of the file say: "conll", "json", "brat" or "text"."""
    if how.format not in ("auto", "any"):
        asked = {"conllu": "conll", "text": "text", "brat": "brat", "conll": "conll"}
        return asked.get(how.format, "json")
    suffix = Path(source.name).suffix.lower()
    if annotations:
        return "brat"
    if suffix in JSON or looks_like_json(source.start()):
        return "json"
    if how.format == "auto" or suffix in TABLES or how.token_column or how.tag_columns:
        return "conll"
    return _text_or_conll(source)


def _text_or_conll(source: Source) -> str:
    """Plain text, unless all of it is CoNLL and more than a line says so; refuse what is mostly CoNLL."""
    filled = ends_in_tag = 0
    for line in source.lines():
        cells = line.rstrip(" \t\r").split("\t" if "\t" in line else None)
        filled += any(cells)
        ends_in_tag += len(cells) > 1 and is_tag(prefixed(cells[-1]))
    if ends_in_tag < 2 or 2 * ends_in_tag < filled:
        return "text"
    try:
        parse_conll(source.lines(), source.name, Oddities())
    except CorpusError as error:
        if 10 * ends_in_tag > 9 * filled:
            raise CorpusError(
                f"{error}; most lines end in a tag: give --format conll, or --format text for plain text"
            ) from None
        return "text"
    return "conll"


def every_row(source: Source, found: str, how: How, annotations: Source | None) -> tuple[list[Row], str]:
    """The rows of a file in the form that was found, and how they were understood in words."""
    if found == "conll":
        read, understood = parse_conll(
            source.lines(),
            source.name,
            Oddities(),
            token_column=how.token_column,
            tag_columns=how.tag_columns,
            labels=how.labels,
        )
        return [Row(tokens=list(sentence.tokens), spans=list(sentence.spans)) for sentence in read], understood
    if found == "text":
        return [Row(text=line, line=n) for n, line in enumerate(text_lines(source.text()), 1)], "plain text"
    if found == "json":
        return _json(source, how)
    if annotations is None:
        raise CorpusError(f"{source.name}: expected brat's annotations beside it, an .ann file")
    noted = annotations.text() if how.labels else ""
    return parse_brat(source.text(), noted, annotations.name), "brat's text and annotations"


def tokenised(rows: Sequence[Row], tokens: str, *, blank: bool = True) -> tuple[list[Row], str]:
    """The rows with tokens, and what they are where the file had texts; `blank` characters may be tokens or not."""
    texts = [row.text or "" for row in rows if row.tokens is None]
    kind = token_kind(texts, tokens)
    return [row.tokenised(kind, blank=blank) for row in rows], f", {kind} as tokens" if texts else ""


def _json(source: Source, how: How) -> tuple[list[Row], str]:
    rows: list[Row] = []
    form = how.format if how.format in BY_NAME else ""
    for line, value in json_values(source.text(), source.name):
        try:
            found = json_rows(value, form=form, names=how.tag_names, labels=how.labels)
        except CorpusError as error:
            raise CorpusError(f"{source.name}:{line}: {error}") from None
        for row in found:
            row.line = line
        rows += found
    if how.labels:
        _decode(rows, source.name)
    forms = sorted({row.form for row in rows} - {""})
    described = f" with {' and '.join(forms)}" if forms else ""
    lines = "JSON array" if source.start().lstrip().startswith("[") else "JSONL"
    return rows, f"{lines}{described}" if rows else f"{lines}, no sentences"


def _decode(rows: list[Row], name: str) -> None:
    """Turn tags into spans, by the scheme of all of them."""
    tagged = [row for row in rows if row.tags is not None]
    if not tagged:
        return
    cells = {tag for row in tagged for tag in row.tags or () if isinstance(tag, str)}
    if not all(map(is_tag, cells)) and all(is_tag(prefixed(tag)) for tag in cells):
        for row in tagged:
            row.tags = [prefixed(tag) for tag in row.tags or ()]
    for row in tagged:
        wrong = next((tag for tag in row.tags or () if not isinstance(tag, str) or not is_tag(tag)), None)
        if wrong is not None:
            raise CorpusError(f"{name}:{row.line}: expected O or a tag such as B-person, found {wrong!r}")
    scheme = detect_scheme([row.tags or () for row in tagged])
    for row in tagged:
        row.spans, odd = decode_tags(row.tags or (), scheme)
        row.odd += [kind for kind, _ in odd]
        row.form += f" as {scheme} tags"


def to_sentences(rows: Sequence[Row], oddities: Oddities) -> list[Sentence]:
    """The sentences of rows with tokens; what is odd is counted."""
    some_labelled = any("row without labels" not in row.odd for row in rows)
    sentences = []
    for row in rows:
        for kind, count in Counter(row.odd).items():
            if kind != "row without labels" or some_labelled:
                oddities.add(kind, row.line, count)
        sentences.append(oddities.sentence(row.tokens or [], row.spans, partial(_same, row.line)))
    return sentences


def _same(line: int, index: int) -> int:
    """The line of a token of a row that is one line."""
    return line
