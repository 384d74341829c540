"""CoNLL files: a token and its tags a line, a blank line after each sentence.

How a file is understood, from the file alone:

- Columns are separated by tabs where the first token line has one, otherwise by ASCII spaces. Other characters that
  Python calls white space (U+00A0, U+0085, U+2028, ...) belong to the tokens. Lines end with LF or CRLF only.
- A line of nothing but spaces and tabs separates sentences, and so does one whose first column is -DOCSTART-.
- Every column of tags is a layer, and a sentence has the union of their spans. The last column must hold tags, unless
  others hold nothing else; one before it does if more than half of its cells are tags. A chunk column (NP, VP, ...)
  before the last is left out. Two columns that mostly agree are a gold and a predicted one: one must be chosen.
- A first column of token numbers (1, 2, 3, ..., from 0 or through the whole file too) is recognised, and the tokens are
  then in the second. In CoNLL-U the tags stand in the last column, as NER=B-PER.
- `#` alone never makes a comment, because tokens begin with it (hashtags). A line is a comment only where it cannot be
  a token line: in a file with token numbers, if it begins with `#`; in others, if it begins with `# ` and a word,
  stands before the first token of a sentence, and either has another number of columns than the file or holds `=` and
  ends in no tag (`# text = ...`, `# id 12 domain=news`). `# O` is a token line whatever the separator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from gpkl_lib.corpora.columns import (
    COMMENT_LINE,
    MAYBE_COMMENT,
    NO_TOKEN,
    SEPARATOR,
    TOKEN,
    Lines,
    code_points,
)
from gpkl_lib.corpora.corpus import CorpusError, Oddities, Sentence, invisible
from gpkl_lib.corpora.tags import decode_tags, detect_scheme, is_tag, prefixed
from gpkl_lib.spans import Span

COLUMNS_OF_CONLLU = 10
SHOWN = 12  # columns named in words
AT_A_TIME = 1024  # sentences whose tokens are in memory twice
AGREE = 10  # spans that two columns must share before they are taken for gold and predicted


def parse_conll(
    lines: Iterable[str],
    name: str,
    oddities: Oddities,
    *,
    token_column: int | None = None,
    tag_columns: Sequence[int] = (),
    labels: bool = True,
) -> tuple[list[Sentence], str]:
    """The sentences of a CoNLL text, and how it was understood in words.

    Args:
        lines: of the whole file, without LF.
        name: stands before the line number in errors.
        oddities: what was unusual is counted here.
        token_column, tag_columns: from 1; found from the file where they are not given.
        labels: False for a file to predict, whose tags are not looked at.

    Raises:
        CorpusError: a line with another number of columns, an empty cell, or no valid tag where tags stand.
    """
    table = Lines(lines, name)
    if table.model is None:
        return [], "CoNLL, no token lines"
    for column in (*([] if token_column is None else [token_column]), *tag_columns):
        if not 1 <= column <= table.width:
            raise CorpusError(f"{name}: expected a column from 1 to {table.width}, got {column}")
    numbered = token_column in (None, 2) and table.numbered()
    if not numbered and token_column is None:
        table.check_first_column()
    token = token_column - 1 if token_column else int(numbered)
    starts, places = _sentences(table, numbered, oddities)
    used = table.order[places]
    rows = np.flatnonzero(np.bincount(used)).tolist()  # numbered by their first appearance, so in that order
    columns = {token: "token"} | ({0: "number"} if numbered else {})
    layers: list[_Layer] = []
    if labels:
        left_out: list[int] = []
        chosen = [column - 1 for column in tag_columns]
        if not chosen and token + 1 < table.width:
            chosen, left_out = table.layers(range(token + 1, table.width), rows)
        if not chosen:
            raise CorpusError(f"{name}: no column behind the tokens in column {token + 1}: give --tag-column")
        columns |= dict.fromkeys(left_out, "left out")
        layers = [_Layer(table, used, starts, rows, column, numbered) for column in chosen]
        columns |= {layer.column: f"{layer.scheme} tags" for layer in layers}
    tokens = _tokens(table, rows, token, oddities)
    is_odd = np.zeros(len(table.texts), dtype=bool)
    is_odd[[n for n in rows if invisible(tokens[n])]] = True
    odd_tokens = (np.logical_or.reduceat(is_odd[used], starts) if len(starts) else starts).tolist()
    sentences = []
    for index, (start, words) in enumerate(_words(tokens, used, starts)):
        spans: list[Span] = []
        for layer in layers:
            found, odd = layer.spans(index)
            spans += found
            for kind, position in odd:
                oddities.add(kind, int(places[start + position]) + 1)
        sentences.append(oddities.sentence(words, spans, partial(_line, places, start), odd_tokens=odd_tokens[index]))
    if not tag_columns:
        _check_agreement(layers, name)
    united = f" ({len(layers)} layers united)" if len(layers) > 1 else ""
    described = ", ".join([columns[c] for c in sorted(columns)][:SHOWN]) + (", ..." if len(columns) > SHOWN else "")
    return sentences, f"CoNLL, columns by {table.between}: {described}{united}"


def _tokens(table: Lines, rows: list[int], column: int, oddities: Oddities) -> dict[int, str]:
    """The token of each distinct line, one string for equal ones; a byte-order mark before it is counted."""
    one: dict[str, str] = {}
    tokens = {}
    for n in rows:
        cell = table.cells[n][column]
        token = (cell.removeprefix("\ufeff") or cell) if cell[0] == "\ufeff" else cell
        oddities.add("byte-order mark", table.first[n], table.counts[n] * (cell is not token))
        tokens[n] = one.setdefault(token, token)
    return tokens


def _words(
    tokens: dict[int, str], used: NDArray[np.uintc], starts: NDArray[np.int64]
) -> Iterator[tuple[int, list[str]]]:
    """Where each sentence begins among the token lines, and its tokens; looked up for many sentences at a time."""
    token_of = np.empty(max(tokens, default=0) + 1, dtype=object)
    token_of[list(tokens)] = list(tokens.values())
    bounds = [*starts.tolist(), len(used)]
    for first in range(0, len(starts), AT_A_TIME):
        block = bounds[first : first + AT_A_TIME + 1]
        words = token_of[used[block[0] : block[-1]]].tolist()
        for start, end in pairwise(block):
            yield start, words[start - block[0] : end - block[0]]


def _line(places: NDArray[np.uint32], start: int, index: int) -> int:
    """The line, from 1, of a token of the sentence that begins at `start`."""
    return int(places[min(start + index, len(places) - 1)]) + 1


def _sentences(table: Lines, numbered: bool, oddities: Oddities) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Where sentences begin among the token lines, and the places of those in the file, from 0.

    What is dropped here is counted if it is unusual; a line that is neither is refused.
    """
    kinds = table.kinds(numbered)
    what = kinds[table.order]
    for at in np.flatnonzero(what == MAYBE_COMMENT).tolist():  # a comment only before the first token of a sentence
        before = at - 1
        while before >= 0 and what[before] in (COMMENT_LINE, NO_TOKEN):
            before -= 1
        what[at] = TOKEN if before >= 0 and what[before] == TOKEN else COMMENT_LINE
    comments = np.flatnonzero(what == COMMENT_LINE)
    places = np.flatnonzero(what == TOKEN).astype(np.uint32)
    bad = [n for n, cells in enumerate(table.cells) if len(cells) != table.width or "" in cells]
    is_bad = np.zeros(len(table.texts), dtype=bool)
    is_bad[bad] = True
    wrong = places[is_bad[table.order[places]]]
    if len(wrong):
        raise table.error(int(table.order[wrong[0]]), int(wrong[0]) + 1)
    unusual = {
        "line ending in CRLF": (n for n, text in enumerate(table.texts) if text.endswith("\r")),
        "separator line holding white space": (n for n, text in enumerate(table.plain) if text and table.blank[n]),
        "-DOCSTART- line": (n for n, is_one in enumerate(table.document) if is_one),
        "multiword or empty node, no token": np.flatnonzero(kinds == NO_TOKEN).tolist(),
    }
    for kind, numbers in unusual.items():
        for n in numbers:
            oddities.add(kind, table.first[n], table.counts[n])
    if len(comments):
        oddities.add("comment line", int(comments[0]) + 1, len(comments))
    separators = np.cumsum(what == SEPARATOR, dtype=np.int32)[places]
    if not len(places):
        return np.zeros(0, np.int64), places
    return np.flatnonzero(np.concatenate(([True], separators[1:] != separators[:-1]))), places


class _Layer:
    """One column of tags: checked, its scheme detected, its spans found."""

    def __init__(
        self,
        table: Lines,
        used: NDArray[np.uintc],
        starts: NDArray[np.int64],
        rows: list[int],
        column: int,
        numbered: bool,
    ) -> None:
        self.column = column
        cells = {n: table.cells[n][column] for n in rows}
        if numbered and table.width == COLUMNS_OF_CONLLU and column == table.width - 1:
            cells = _from_misc(cells, table)
        if not all(map(is_tag, cells.values())) and all(is_tag(prefixed(cell)) for cell in cells.values()):
            cells = {n: prefixed(cell) for n, cell in cells.items()}
        wrong = next((n for n in rows if not is_tag(cells[n])), None)
        if wrong is not None:
            first = column != 0 and all(is_tag(table.cells[n][0]) for n in rows)
            columns = f"tag_columns=[1], token_column={column + 1} (--tag-column 1 --token-column {column + 1})"
            hint = f"; the tags seem to stand in column 1: give {columns}" if first else ""
            raise CorpusError(
                f"{table.name}:{table.first[wrong]}: expected O or a tag such as B-person in column {column + 1}, "
                f"found {code_points(cells[wrong])}{hint}"
            )
        tag_of = [cells.get(n, "O") for n in range(len(table.texts))]
        tagged = np.flatnonzero(np.array([tag != "O" for tag in tag_of])[used])
        owner = np.searchsorted(starts, tagged, side="right") - 1  # the sentence of each
        joined = (np.diff(tagged) == 1) & (np.diff(owner) == 0)
        breaks = np.flatnonzero(~joined) + 1
        tags = list(map(tag_of.__getitem__, used[tagged].tolist()))
        bounds = list(pairwise([0, *breaks.tolist(), len(tags)])) if tags else []
        runs = [tuple(tags[start:end]) for start, end in bounds]  # of tags without an O between; few are distinct
        self.scheme = detect_scheme(dict.fromkeys(runs))
        decoded = {run: decode_tags(run, self.scheme) for run in dict.fromkeys(runs)}
        self._found: dict[int, tuple[list[Span], list[tuple[str, int]]]] = {}
        firsts = [start for start, _ in bounds]
        offsets = tagged[firsts] - starts[owner[firsts]]
        for run, index, offset in zip(runs, owner[firsts].tolist(), offsets.tolist(), strict=True):
            spans, odd = self._found.setdefault(index, ([], []))
            spans += [(kind, start + offset, end + offset) for kind, start, end in decoded[run][0]]
            odd += [(kind, position + offset) for kind, position in decoded[run][1]]

    def distinct(self) -> set[tuple[int, Span]]:
        """Every span with the index of its sentence."""
        return {(index, span) for index, (spans, _) in self._found.items() for span in spans}

    def spans(self, index: int) -> tuple[list[Span], list[tuple[str, int]]]:
        """The spans of a sentence in this column, and what was odd, as `decode_tags` gives them."""
        return self._found.get(index, ([], []))


def _from_misc(cells: dict[int, str], table: Lines) -> dict[int, str]:
    """The tags of CoNLL-U's last column, under the one key whose values are tags: NER=B-PER|SpaceAfter=No."""
    parts = {n: dict(part.partition("=")[::2] for part in cell.split("|")) for n, cell in cells.items()}
    keys = {key for each in parts.values() for key, value in each.items() if is_tag(value)}
    keys = {key for key in keys if all(is_tag(each[key]) for each in parts.values() if key in each)}
    if len(keys) != 1:
        found = f"under the keys {', '.join(sorted(keys))}" if keys else "none"
        raise CorpusError(
            f"{table.name}: expected tags as NER=B-PER under one key of column {table.width}, found {found}"
        )
    (key,) = keys
    return {n: each.get(key, "O") for n, each in parts.items()}


def _check_agreement(layers: list[_Layer], name: str) -> None:
    """Refuse two columns that hold mostly the same spans: layers of nested spans do not, gold and predicted ones do."""
    if len(layers) < 2:
        return
    held = [(layer.column + 1, layer.distinct()) for layer in layers]
    for (a, spans), (b, others) in combinations(held, 2):
        shared = len(spans & others)
        if shared >= AGREE and 2 * shared > min(len(spans), len(others)):
            raise CorpusError(
                f"{name}: columns {a} and {b} share {shared} spans, as a gold and a predicted column do: choose one, "
                f"tag_columns=[{a}] (--tag-column {a}), or name both"
            )
