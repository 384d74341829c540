"""Columns of numbers: what each cell lacks behind its point. Where the points stand, a browser sees."""

from __future__ import annotations

import re

import pytest


@pytest.mark.parametrize(
    ("column", "lacking"),
    [
        (("F1", "0.5", "12.25", "1,024"), ["", "5", "", ".25"]),
        (("gain", "+0.007 [-0.003, +0.012]", "baseline", ""), ["", "", "", ""]),
        (("seconds", "8 / 27", "13 / 128"), ["", "8", ""]),
        (("cost", "1e-05", "0.5", "nan"), ["", "", "05", ""]),
        (("length", "8 to 11 tokens", "12 to 15 tokens"), None),
        (("loss", "nan", "inf"), None),
        (("of", "one", "2"), None),
    ],
)
def test_what_a_column_lacks(column: tuple[str, ...], lacking: list[str] | None) -> None:
    from gpkl_book.tables import lacks

    assert lacks(column) == lacking


def test_a_table_is_marked_and_else_stays_as_it_is() -> None:
    from gpkl_book.tables import align

    rows = "<tr><th>a</th><th>b</th></tr><tr><td>x-1</td><td>-2.5</td></tr><tr><td>y</td><td>1e-3</td></tr>"
    table = f"<table>{rows}</table>"
    aligned = align(table)
    assert "<td>x-1</td>" in aligned
    assert '<th data-lacks="">b</th>' in aligned
    assert '<td data-lacks="3">−2.5</td>' in aligned
    assert '<td data-lacks="">1e-3</td>' in aligned
    assert re.sub(r' data-lacks="[^"]*"', "", aligned).replace("−", "-") == table
