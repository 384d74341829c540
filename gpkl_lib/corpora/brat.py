"""brat's standoff files: a text, and beside it the annotations, which count its characters."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gpkl_lib.corpora.corpus import CorpusError
from gpkl_lib.corpora.row import Row
from gpkl_lib.spans import Span

TEXT_BOUND = re.compile(r"T\S*\t(\S+) (\d+) (\d+)((?:;\d+ \d+)*)(?:\t(.*))?")


def parse_brat(text: str, annotations: str, name: str) -> list[Row]:
    """A row for each line of the text that is not blank; lines that one span joins are one row.

    Discontinuous spans are left out and counted, and so are relations, events, attributes and notes.

    Raises:
        CorpusError: a line that is no annotation, a span outside the text, a surface that the text does not have.
    """
    spans: list[Span] = []
    odd: list[tuple[int, str]] = []
    for number, line in enumerate(annotations.split("\n"), 1):
        line = line.rstrip("\r")
        if line and line[0] in "REAMN#*":
            odd.append((0, "relation, event, attribute or note, left out"))
        elif line.strip():
            span, pieces, surface = _text_bound(line, f"{name}:{number}", len(text))
            if pieces:
                odd.append((span[1], "discontinuous span, left out"))
                continue
            found = text[span[1] : span[2]]
            if surface is not None and " ".join(surface.split()) != " ".join(found.split()):
                raise CorpusError(f"{name}:{number}: expected {surface!r} at {span[1]} {span[2]}, found {found!r}")
            spans.append(span)
    return _rows(text, sorted(spans, key=lambda span: span[1]), odd)


def _text_bound(line: str, where: str, length: int) -> tuple[Span, str, str | None]:
    match = TEXT_BOUND.fullmatch(line)
    if match and int(match[2]) < int(match[3]) <= length:
        return (match[1], int(match[2]), int(match[3])), match[4], match[5]
    raise CorpusError(
        f"{where}: expected an annotation such as T1, tab, PER 0 4 within {length} characters, found {line[:80]!r}"
    )


def _rows(text: str, spans: list[Span], odd: list[tuple[int, str]]) -> list[Row]:
    rows: list[Row] = []
    start, line, taken = 0, 1, 0
    while start < len(text):
        end, inside = _line_end(text, start), taken
        while inside < len(spans) and spans[inside][1] < end:
            end = max(end, _line_end(text, spans[inside][2] - 1))
            inside += 1
        here = [(kind, a - start, b - start) for kind, a, b in spans[taken:inside]]
        if here or text[start:end].strip():
            row = Row(text=text[start:end].rstrip("\r"), spans=here, line=line, form="brat")
            row.odd = [kind for at, kind in odd if start <= at <= end]
            odd = [each for each in odd if not start <= each[0] <= end]
            rows.append(row)
        line += text.count("\n", start, end) + 1
        start, taken = end + 1, inside
    return rows


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def brat_texts(rows: Iterable[Row]) -> tuple[str, str]:
    """The text and the annotations of rows with a text, a line each.

    Raises:
        CorpusError: a type with white space in it, which would end its name.

    Example:
        >>> text, annotations = brat_texts([Row(text="Anna works", spans=[("PER", 0, 4)])])
        >>> annotations.split()
        ['T1', 'PER', '0', '4', 'Anna']
    """
    texts: list[str] = []
    lines: list[str] = []
    at = 0
    for row in rows:
        text = row.text or ""
        for kind, start, end in row.spans:
            if kind.split() != [kind]:
                raise CorpusError(f"brat's types have no white space, found {kind!r}")
            surface = " ".join(text[start:end].split("\n"))
            lines.append(f"T{len(lines) + 1}\t{kind} {at + start} {at + end}\t{surface}\n")
        texts.append(text + "\n")
        at += len(text) + 1
    return "".join(texts), "".join(lines)
