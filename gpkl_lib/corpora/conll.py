"""CoNLL files: a token and its tags a line, a blank line after each sentence.

How a file is understood, from the file alone:

- Columns are separated by tabs where the first token line has one, otherwise by ASCII spaces. Other characters that
  Python calls white space (U+00A0, U+0085, U+2028, ...) belong to the tokens. Lines end with LF or CRLF only.
- A line of nothing but spaces and tabs separates sentences, and so does one whose first column is -DOCSTART-.
- Every column of tags is a layer, and a sentence has the union of their spans. The last column must hold tags; one
  before it does if more than half of its cells are tags. A chunk column (NP, VP, ...) before the last is left out.
- A first column of token numbers (1, 2, 3, ...) is recognised, and the tokens are then in the second.
- `#` alone never makes a comment, because tokens begin with it (hashtags). A line is a comment only where it cannot be
  a token line: in a file with token numbers, if it begins with `#`; in others, if it begins with `# ` and a word,
  stands before the first token of a sentence, and either has another number of columns than the file or holds `=` and
  ends in no tag (`# text = ...`, `# id 12 domain=news`). `# O` is a token line whatever the separator.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from gpkl_lib.corpora.corpus import CorpusError, Oddities, Sentence
from gpkl_lib.corpora.tags import decode_tags, detect_scheme, is_tag

CHUNKS = {"ADJP", "ADVP", "CONJP", "INTJ", "LST", "NP", "PP", "PRT", "SBAR", "UCP", "VP"}
COMMENT = re.compile("# +[^ \t]")


@dataclass
class _Block:
    """One sentence as rows of cells; `first` is the line (from 1) of the first."""

    first: int
    rows: list[list[str]]


def parse_conll(text: str, name: str, oddities: Oddities) -> tuple[list[Sentence], str]:
    """The sentences of a CoNLL text, and how it was understood in words.

    Args:
        text: the whole file.
        name: stands before the line number in errors.
        oddities: what was unusual is counted here.

    Raises:
        CorpusError: a line with another number of columns, an empty cell, or no valid tag where tags stand.
    """
    lines = text.split("\n")
    model = _model_line(lines)
    if model is None:
        return [], "CoNLL, no token lines"
    separator = "\t" if "\t" in lines[model].strip(" \t\r") else " "
    width = len(_cells(lines[model], separator))
    if width < 2:
        raise CorpusError(f"{name}:{model + 1}: expected a token and its tag, found {lines[model]!r}")
    numbered = width > 2 and _numbered(lines, separator)
    blocks = _blocks(lines, separator, width, numbered, name, oddities)
    token = 1 if numbered else 0
    layers, left_out = _layers(blocks, range(token + 1, width))
    columns = {token: "token", **dict.fromkeys(left_out, "left out")} | ({0: "number"} if numbered else {})
    spans_of = [_Layer(blocks, column, name) for column in layers]
    columns |= {layer.column: f"{layer.scheme} tags" for layer in spans_of}
    sentences = []
    for block in blocks:
        spans = []
        for layer in spans_of:
            found, odd = decode_tags([row[layer.column] for row in block.rows], layer.scheme)
            spans += found
            for kind, position in odd:
                oddities.add(kind, block.first + position)
        sentences.append(oddities.sentence([row[token] for row in block.rows], spans, block.first))
    between = "tabs" if separator == "\t" else "spaces"
    return sentences, f"CoNLL, columns by {between}: {', '.join(columns[c] for c in sorted(columns))}"


class _Layer:
    """One column of tags: checked, its scheme detected."""

    def __init__(self, blocks: list[_Block], column: int, name: str) -> None:
        self.column = column
        for block in blocks:
            for offset, row in enumerate(block.rows):
                if not is_tag(row[column]):
                    raise CorpusError(
                        f"{name}:{block.first + offset}: expected O or a tag such as B-person in column {column + 1}, "
                        f"found {row[column]!r}"
                    )
        self.scheme = detect_scheme([row[column] for row in block.rows] for block in blocks)


def _cells(line: str, separator: str) -> list[str]:
    """A line's columns; runs of spaces are one separator, tabs are one each."""
    if separator == " ":
        return re.split(" +", line.strip(" \t\r"))
    return [cell.strip(" ") for cell in line.rstrip(" \t\r").split("\t")]


def _is_document_start(line: str) -> bool:
    return line.lstrip(" ").startswith("-DOCSTART-")


def _model_line(lines: list[str]) -> int | None:
    """The index of the first line that must be a token line, or may be one if none must; None in an empty file."""
    filled = [index for index, line in enumerate(lines) if line.strip(" \t\r") and not _is_document_start(line)]
    return next((index for index in filled if not lines[index].startswith("#")), filled[0] if filled else None)


def _numbered(lines: list[str], separator: str) -> bool:
    """Whether the first column counts the tokens: 1 after every separator or comment, and digits everywhere."""
    expect_one = True
    for line in lines:
        if not line.strip(" \t\r") or line.startswith("#") or _is_document_start(line):
            expect_one = True
            continue
        number = _cells(line, separator)[0]
        if not number.isdecimal() or (expect_one and number != "1"):
            return False
        expect_one = False
    return True


def _blocks(
    lines: list[str], separator: str, width: int, numbered: bool, name: str, oddities: Oddities
) -> list[_Block]:
    """The token lines as sentences; separators and comments are dropped here, and counted if unusual."""
    blocks: list[_Block] = []
    inside = False
    for number, line in enumerate(lines, 1):
        oddities.add("line ending in CRLF", number, line.endswith("\r"))
        if not line.strip(" \t\r"):
            oddities.add("separator line holding white space", number, bool(line.rstrip("\r")))
            inside = False
        elif _is_document_start(line):
            oddities.add("-DOCSTART- line", number)
            inside = False
        elif _is_comment(line, separator, width, numbered, inside):
            oddities.add("comment line", number)
        else:
            cells = _cells(line, separator)
            if len(cells) != width or "" in cells:
                between = "tabs" if separator == "\t" else "spaces"
                raise CorpusError(
                    f"{name}:{number}: expected {width} columns separated by {between}, "
                    f"found {len(cells) - cells.count('')}: {line[:80]!r}"
                )
            if not inside:
                blocks.append(_Block(number, []))
            blocks[-1].rows.append(cells)
            inside = True
    return blocks


def _is_comment(line: str, separator: str, width: int, numbered: bool, inside: bool) -> bool:
    """The rule of the module's docstring; `inside` says that the sentence already has a token."""
    if numbered:
        return line.startswith("#")
    if inside or not COMMENT.match(line) or is_tag(line[1:].strip()):
        return False
    cells = _cells(line, separator)
    return len(cells) != width or ("=" in line and not is_tag(cells[-1]))


def _layers(blocks: list[_Block], candidates: range) -> tuple[list[int], list[int]]:
    """Which columns hold tags, and which are left out."""
    layers: list[int] = []
    left_out: list[int] = []
    for column in candidates:
        values = Counter(row[column] for block in blocks for row in block.rows)
        tags = sum(count for value, count in values.items() if is_tag(value))
        types = {value[2:] for value in values if is_tag(value)} - {""}
        is_layer = 2 * tags > values.total() and not (types and types <= CHUNKS)
        (layers if is_layer or column == candidates[-1] else left_out).append(column)
    return layers, left_out
