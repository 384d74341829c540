"""Cells of tables: what dev chose and from what, and a difference with its interval."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gpkl_lib._storage import read_rows
from gpkl_lib.experiments.summary import by_method
from gpkl_lib.experiments.tables import choice, interval

RESULTS = Path(__file__).parents[2] / "book/_results"


class TestWhatWasChosen:
    """Of a record: the weight that dev took, and whether the grid ended there."""

    ROWS = read_rows(RESULTS / "toy-short.jsonl")

    def test_an_inner_weight_has_the_ends_of_its_grid_beside_it(self) -> None:
        assert choice(by_method(self.ROWS)["softmax"], self.ROWS) == "0.1 of 0.03 to 3"

    def test_an_end_of_the_grid_is_named(self) -> None:
        sigmoid = by_method(self.ROWS)["sigmoid"]
        assert choice(sigmoid, self.ROWS) == "0.03 of 0.03 to 3: the lowest"
        assert choice(replace(sigmoid, alpha=3.0), self.ROWS) == "3 of 0.03 to 3: the highest"

    def test_no_choice_is_no_choice(self) -> None:
        summaries = by_method(self.ROWS)
        assert [choice(summaries[name], self.ROWS) for name in ("none", "two views")] == ["", ""]
        one = [row for row in self.ROWS if row["config"]["alpha"] == 0.1]
        assert choice(summaries["softmax"], one) == "0.1, the only one"
        with pytest.raises(ValueError, match="some of softmax on toy, got none"):
            choice(summaries["softmax"], [])

    def test_a_setting_of_the_method_s_own(self) -> None:
        rows = [row for row in read_rows(RESULTS / "distillation-weights.jsonl") if row["arm"] == "toy: open spans"]
        assert choice(by_method(rows)["toy: open spans"], rows, "open_above") == "-2 of -10 to -2: the highest"

    def test_an_infinite_temperature_is_a_number_like_another(self) -> None:
        rows = [row for row in read_rows(RESULTS / "distillation-weights.jsonl") if row["arm"] == "toy: every span"]
        assert "inf" in {row["config"]["temperature"] for row in rows}
        every = by_method(rows)["toy: every span"]
        assert choice(every, rows, "temperature") == "2 of 1 to inf"
        assert choice(replace(every, own={"temperature": "inf"}), rows, "temperature") == "inf of 1 to inf: the highest"

    def test_an_interval_or_that_there_is_none(self) -> None:
        summaries = by_method(self.ROWS)
        assert interval(summaries["none"].difference) == "baseline"
        assert interval(summaries["sigmoid"].difference) == "+0.0294 [+0.0222, +0.0366]"
