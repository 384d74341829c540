"""JSONL files, one sentence a line, in two forms; offsets count from 0.

- Plain: {"tokens": ["Anna", "left"], "spans": [[0, 1, "person"]]}, or "text" in place of "tokens"; `end` is exclusive.
- CLUENER: {"text": "...", "label": {"person": {"Anna": [[0, 3]]}}}; `end` is inclusive, the surface is checked.

The tokens of a "text" are its characters, as in Chinese corpora. Other keys are ignored; without "spans" and "label" a
line has no spans.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gpkl_lib.corpora.corpus import CorpusError, Oddities, Sentence, to_jsonl
from gpkl_lib.spans import Span


def parse_jsonl(text: str, name: str, oddities: Oddities) -> tuple[list[Sentence], str]:
    """The sentences of a JSONL text, and how it was understood in words.

    Raises:
        CorpusError: a line that is no such object, a span outside its tokens, a surface that the text does not have.
    """
    sentences, forms = [], set()
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise CorpusError(
                f"{name}:{number}: expected a JSON object, but {error.msg} at column {error.colno}"
            ) from None
        try:
            tokens, spans, form = _row(row)
        except CorpusError as error:
            raise CorpusError(f"{name}:{number}: {error}") from None
        forms.add(form)
        sentences.append(oddities.sentence(tokens, spans, number))
    return sentences, f"JSONL with {' and '.join(sorted(forms))}" if forms else "JSONL, no sentences"


def write_jsonl(path: str | os.PathLike[str], sentences: Iterable[Sentence]) -> None:
    """Write a corpus or sentences in the plain form with "tokens", as UTF-8.

    The file is written beside its place under another name and then renamed: it is there whole or not at all.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(to_jsonl(sentences))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _row(row: Any) -> tuple[list[str], list[Span], str]:
    """Tokens, spans and form of one line; errors here do not know the line yet."""
    if not isinstance(row, dict):
        raise CorpusError(f"expected a JSON object, found {_short(row)}")
    tokens = row.get("tokens")
    text = row.get("text")
    if tokens is not None:
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            raise CorpusError(f'expected "tokens" to be a list of strings, found {_short(tokens)}')
    elif isinstance(text, str):
        tokens = list(text)
    else:
        raise CorpusError(f'expected "tokens" (a list of strings) or "text" (a string), found keys {_short(list(row))}')
    if "label" in row and "spans" not in row:
        if not isinstance(text, str) or "tokens" in row:
            raise CorpusError('expected "label" to stand beside a "text"; use "spans" beside "tokens"')
        return tokens, _cluener(row["label"], text), '"text" and "label"'
    spans = row.get("spans", [])
    if not isinstance(spans, list):
        raise CorpusError(f'expected "spans" to be a list, found {_short(spans)}')
    form = '"tokens" and "spans"' if "tokens" in row else '"text" and "spans"'
    return tokens, [_span(span, len(tokens)) for span in spans], form


def _span(value: Any, length: int) -> Span:
    match value:
        case [int(start), int(end), str(kind)] if 0 <= start < end <= length and kind and not _boolean(start, end):
            return kind, start, end
    raise CorpusError(
        f"expected a span [start, end, type] with 0 <= start < end <= {length} (end exclusive), found {_short(value)}"
    )


def _cluener(label: Any, text: str) -> list[Span]:
    if not isinstance(label, dict) or not all(isinstance(surfaces, dict) for surfaces in label.values()):
        raise CorpusError(f'expected "label" to be {{type: {{surface: [[start, end], ...]}}}}, found {_short(label)}')
    spans = []
    for kind, surfaces in label.items():
        for surface, places in surfaces.items():
            for place in places if isinstance(places, list) else [places]:
                match place:
                    case [int(start), int(end)] if 0 <= start <= end < len(text) and not _boolean(start, end):
                        found = text[start : end + 1]
                        if found != surface:
                            raise CorpusError(
                                f"expected {kind} {surface!r} at {place} (end inclusive), found {found!r}"
                            )
                        spans.append((kind, start, end + 1))
                    case _:
                        raise CorpusError(
                            f"expected a place [start, end] with 0 <= start <= end < {len(text)} (end inclusive) "
                            f"for {kind} {surface!r}, found {_short(place)}"
                        )
    return spans


def _boolean(*values: int) -> bool:
    """Whether one is true or false, which Python counts among the integers."""
    return any(isinstance(value, bool) for value in values)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
