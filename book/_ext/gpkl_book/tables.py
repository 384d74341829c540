"""Columns of numbers in tables: one below another on the decimal point, whatever wrote the table.

A style sheet cannot align on a character. A cell that has less behind its point than another of its column gets what it
lacks as ``data-lacks``, which ``site.css`` sets behind the number without showing it. A hyphen before a number becomes
a minus, which is as wide as a plus.
"""

import html
import re
from collections.abc import Sequence
from itertools import count, zip_longest
from typing import Any

from sphinx.application import Sphinx

TABLE = re.compile(r"<table\b.*?</table>", re.S)
ROW = re.compile(r"<tr\b.*?</tr>", re.S)
CELL = re.compile(r"<(t[dh])\b([^>]*)>(.*?)</\1>", re.S)

WHOLE = r"[+\-−]?(?:\d{1,3}(?:,\d{3})+|\d+)"
ONE = rf"{WHOLE}(?:\.\d+)?(?:e[+-]?\d+)?(?: ?[%°]| ?[A-Za-z]{{1,3}}\b)?"  # 1,024, -0.5, 1e-3, 12.5 %, 3 MiB
NUMBERS = re.compile(rf"{ONE}(?:(?:,| /| ±) {ONE})*(?: [(\[]{ONE}(?:,| to) {ONE}[)\]])?")  # a few, or with an interval
NO_NUMBER = {"", "-", "baseline", "inf", "-inf", "∞", "−∞", "nan", "none", "null"}


def lacks(cells: Sequence[str]) -> list[str] | None:
    """What each cell of a column, its name first, lacks behind the point; None for a column of words."""
    numbers = [cell for cell in cells[1:] if cell not in NO_NUMBER]
    if not numbers or not all(map(NUMBERS.fullmatch, numbers)):
        return None
    behind = {number: re.sub(rf"^{WHOLE}", "", number) for number in numbers}
    longest = max(behind.values(), key=len)
    return ["", *(longest[len(behind.get(cell, longest)) :] for cell in cells[1:])]


def align(table: str) -> str:
    """The HTML of a table, whose first row has the names of its columns, with its columns of numbers aligned."""
    texts = [[plain(cell[3]) for cell in CELL.finditer(row)] for row in ROW.findall(table)]
    columns = [lacks(column) for column in zip_longest(*texts, fillvalue="")]
    rows = count()

    def row(found: re.Match[str]) -> str:
        number, of_row = next(rows), iter(columns)
        return CELL.sub(lambda cell: mark(cell, next(of_row), number), found[0])

    return ROW.sub(row, table)


def plain(content: str) -> str:
    """The text of a cell."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", content)).split())


def mark(cell: re.Match[str], column: Sequence[str] | None, row: int) -> str:
    """The cell, marked with what it lacks where its column is one of numbers."""
    if column is None:
        return cell[0]
    tag, attributes, content = cell.groups()
    signed = re.sub(r"(?<![\w.])-(?=\d)", "−", content)
    return f'<{tag}{attributes} data-lacks="{html.escape(column[row])}">{signed}</{tag}>'


def mend(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Align every table of the page."""
    if context.get("body"):
        context["body"] = TABLE.sub(lambda found: align(found[0]), context["body"])


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("html-page-context", mend)
