"""The lines of a CoNLL file, each distinct one looked at once, and what its columns hold.

A file of a hundred million characters has few distinct lines: what is asked of a line is asked of those, and the order
of the file is an array of their numbers.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from gpkl_lib.corpora.corpus import CorpusError, visible
from gpkl_lib.corpora.tags import is_tag, prefixed

COMMENT = re.compile("# +[^ \t]")
LOST = re.compile("O[^-]")  # a tag with the token of the next line, whose line end is lost
NUMBER = re.compile(r"[0-9]+([-.][0-9]+)?")  # of a token; 3-4 and 5.1 are CoNLL-U's, and no tokens
MOST_COLUMNS = 1000
SEPARATOR, TOKEN, COMMENT_LINE, MAYBE_COMMENT, NO_TOKEN = range(5)


class Lines:
    """The distinct lines of a file, without their CR, as cells.

    Attributes:
        texts: the distinct lines in the order of their first appearance.
        counts, first: how often each stands in the file, and where first (from 1).
        order: for every line of the file the number of its text.
        separator, width: between columns, and how many there are.
    """

    def __init__(self, lines: Iterable[str], name: str) -> None:
        numbers: defaultdict[str, int] = defaultdict()
        numbers.default_factory = numbers.__len__  # a new line takes the next number
        order = array("I", map(numbers.__getitem__, lines))
        self.name, self.texts = name, list(numbers)
        self.order = np.frombuffer(order, dtype=np.uintc)
        self.counts: list[int] = np.bincount(self.order, minlength=len(self.texts)).tolist()
        first = np.zeros(len(self.texts), dtype=np.int64)
        first[self.order[::-1]] = np.arange(len(self.order), 0, -1, dtype=np.uint32)
        self.first: list[int] = first.tolist()
        self.plain = [line.removesuffix("\r") for line in self.texts]
        self.blank = [not line.strip(" \t") for line in self.plain]
        self.document = ["-DOCSTART-" in line and line.lstrip(" ").startswith("-DOCSTART-") for line in self.plain]
        filled = [n for n in range(len(self.texts)) if not self.blank[n] and not self.document[n]]
        self.sure = [n for n in filled if not self.plain[n].startswith("#")]
        self.model = next(iter(self.sure or filled), None)
        if self.model is not None:
            self._columns(self.sure or filled)

    def _columns(self, sure: list[int]) -> None:
        assert self.model is not None
        model = self.plain[self.model]
        self.separator = "\t" if "\t" in model.strip(" \t") or re.match(" +\t", model) else " "
        self.between = "tabs" if self.separator == "\t" else "spaces"
        lines = zip(self.plain, self.blank, strict=True)
        self.cells = [() if blank else _cells(line, self.separator) for line, blank in lines]
        widths: Counter[int] = Counter()
        for n in sure:
            widths[len(self.cells[n])] += self.counts[n]
        wide = [width for width in widths if width > 1]
        if not wide:
            raise CorpusError(
                f"{self.name}:{self.first[self.model]}: expected a token and its tag, found {model[:80]!r}"
            )
        self.width = max(wide, key=lambda width: (widths[width], -width))
        self.like = min(self.first[n] for n in sure if len(self.cells[n]) == self.width)
        if self.width > MOST_COLUMNS:
            raise CorpusError(f"{self.name}:{self.like}: expected at most {MOST_COLUMNS} columns, found {self.width}")

        lone = self.cells[self.model]
        if self.width > 3 and sum(self.counts[n] for n in sure) == 1 and any(map(LOST.match, lone[1:-1])):
            raise CorpusError(
                f"{self.name}:1: expected a token a line, found {self.width} columns; are line ends lost?"
            )

    def error(self, n: int, line: int) -> CorpusError:
        """What is wrong with the columns of a distinct line that stands in `line`."""
        cells, wanted = self.cells[n], f"{self.width} columns separated by {self.between}"
        if len(cells) == self.width:
            return CorpusError(
                f"{self.name}:{line}: expected {wanted}, but column {cells.index('') + 1} is empty: "
                f"{self.plain[n][:80]!r}"
            )
        like = "" if self.like < line else f" as in line {self.like}"
        return CorpusError(f"{self.name}:{line}: expected {wanted}{like}, found {len(cells)}: {self.plain[n][:80]!r}")

    def numbered(self) -> bool:
        """Whether the first column counts the tokens: from 1 or 0 in every sentence, or through the whole file."""
        rows = self.sure
        if self.width < 3 or not rows or not all(NUMBER.fullmatch(self.cells[n][0]) for n in rows):
            return False
        is_row = np.zeros(len(self.texts), dtype=bool)
        is_row[rows] = True
        values = np.array(
            [int(cells[0]) if cells and cells[0].isdecimal() and len(cells[0]) < 10 else -1 for cells in self.cells]
        )
        inside = is_row[self.order]
        fresh = inside & ~np.concatenate(([False], inside[:-1]))
        column, begins = values[self.order][inside], fresh[inside]
        whole = column >= 0  # no range, no empty node
        steps = np.diff(column[whole])
        within = ~begins[whole][1:]
        from_one = bool((column[begins & whole] == 1).all() and (begins & whole).any())
        from_zero = bool((column[begins] == 0).all() and (steps[within] == 1).all())
        running = bool(len(steps) and (steps == 1).all())
        return from_one or from_zero or running

    def check_first_column(self) -> None:
        """Refuse a first column that holds numbers or an id, where the second can be the tokens."""
        rows = [n for n in self.sure if len(self.cells[n]) == self.width]
        if self.width < 3 or len(rows) < 2:
            return
        first, second = ({self.cells[n][column] for n in rows} for column in (0, 1))
        if all(map(is_tag, second)) or len(second) < 2:
            return
        digits = all(cell.isdecimal() for cell in first)
        if digits or self._constant(rows):
            what = "numbers" if digits else "one id in each sentence"
            raise CorpusError(
                f"{self.name}:{self.like}: the first column holds {what}: are they the tokens? Give "
                "token_column=2 (--token-column 2), or 1 if they are"
            )

    def _constant(self, rows: list[int]) -> bool:
        """Whether the first column keeps its value within every sentence, and some sentence has several tokens."""
        ids: dict[str, int] = {}
        value = np.full(len(self.texts), -1)
        for n in rows:
            value[n] = ids.setdefault(self.cells[n][0], len(ids))
        column = value[self.order]
        both = (column[1:] >= 0) & (column[:-1] >= 0)
        return bool(both.any() and (column[1:][both] == column[:-1][both]).all())

    def kinds(self, numbered: bool) -> NDArray[np.int8]:
        """For every distinct line what it is, by the rule of the module `conll`."""
        kinds = np.full(len(self.texts), TOKEN, dtype=np.int8)
        for n, line in enumerate(self.plain):
            if self.blank[n] or self.document[n]:
                kinds[n] = SEPARATOR
            elif numbered and line.startswith("#"):
                kinds[n] = COMMENT_LINE
            elif numbered and not self.cells[n][0].isdecimal() and NUMBER.fullmatch(self.cells[n][0]):
                kinds[n] = NO_TOKEN
            elif not numbered and COMMENT.match(line) and not is_tag(line[1:].strip()):
                cells = self.cells[n]
                if len(cells) != self.width or ("=" in line and not is_tag(cells[-1])):
                    kinds[n] = MAYBE_COMMENT
        return kinds

    def layers(self, candidates: range, rows: list[int]) -> tuple[list[int], list[int]]:
        """Which columns hold tags, and which are left out."""
        layers: list[int] = []
        left_out: list[int] = []
        whole: list[int] = []
        for column in candidates:
            values: Counter[str] = Counter()
            for n in rows:
                values[self.cells[n][column]] += self.counts[n]
            tags = sum(count for value, count in values.items() if is_tag(prefixed(value)))
            types = {prefixed(value)[2:] for value in values if is_tag(prefixed(value))} - {""}
            is_layer = 2 * tags > values.total() and not (types and types <= CHUNKS)
            whole += [column] if tags == values.total() else []
            (layers if is_layer else left_out).append(column)
        last = candidates[-1]
        if last in left_out and (not layers or layers != whole):
            left_out.remove(last)
            layers.append(last)
        return layers, left_out


CHUNKS = {"ADJP", "ADVP", "CONJP", "INTJ", "LST", "NP", "PP", "PRT", "SBAR", "UCP", "VP"}


def _cells(line: str, separator: str) -> tuple[str, ...]:
    """A line's columns; runs of spaces are one separator, tabs are one each. Between tabs a space may be a token."""
    if separator == " ":
        return tuple(re.split(" +", line.strip(" \t")))
    cells = line.rstrip(" \t").split("\t")
    return tuple([cell.strip(" ") or cell for cell in cells] if " " in line else cells)


def code_points(cell: str) -> str:
    """A cell for a message: with the code points of what is not ASCII, which eyes may take for it."""
    strange = [f"U+{ord(character):04X}" for character in cell if not " " <= character <= "~"][:4]
    return repr(visible(cell)) + (f" ({', '.join(strange)})" if strange else "")
