"""Who counts in a browser: the threshold dragged in either picture, spans named, and what the chapter says of it."""

import math
from pathlib import Path

import pytest
import torch
import traitlets
from explorable_page import settled, shown

from gpkl_lib.explore import WhoCounts
from gpkl_lib.explore.recorded.boards import load_boards

BOARD = load_boards(Path(__file__).parents[2] / "book/_results/span-boards.jsonl")[0]
browser = pytest.mark.browser


@browser
@pytest.mark.parametrize("which", [0, 1])
def test_dragging_the_threshold_counts_fewer_spans(stage, which):
    page = stage(WhoCounts.from_board(BOARD)).page
    box = page.locator(".gpkl-across").nth(which).bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 1, middle)
    page.mouse.down()
    counts = []
    for odds in (0.0, 1.0, 3.0, 9.0):
        page.mouse.move(box["x"] + box["width"] * odds / 10, middle, steps=3)
        settled(page)
        counts.append(int(shown(page, "counted")))
        _, t = WhoCounts.from_board(BOARD).scores()
        assert abs(counts[-1] - int((t.abs() > odds).sum())) <= 3  # a pixel is some hundredths of log-odds
    page.mouse.up()
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


@browser
def test_spans_that_say_yes_are_named_as_counted_or_left_out(stage):
    page = stage(WhoCounts.from_board(BOARD, threshold=0.95)).page

    def rows():
        return [tuple(row.locator("th, td").all_inner_texts()) for row in page.locator("tbody tr").all()]

    assert [span for span, *_, sign in rows() if sign == "✓"] == ["Fothard", "Letters to Brundine"]
    first = BOARD.tokens.index("Fenden")
    sure = torch.sigmoid(BOARD.scores[BOARD.types.index("person"), first, first + 1]).item()
    before = rows()
    assert ("Fenden Truthow", "person", f"{sure:.2f}", "○") in before
    page.get_by_label("threshold β").evaluate("(x) => { x.value = 9; x.dispatchEvent(new Event('input')); }")
    settled(page)
    assert [row[:3] for row in rows()] == [row[:3] for row in before]  # a row keeps its place
    assert {row[3] for row in rows()} == {"○"}


@browser
def test_nothing_is_drawn_where_nothing_counts(stage):
    page = stage(WhoCounts(["unsure"], ["x"], [[0.5]], [[2.0]], threshold=0.9999)).page
    assert shown(page, "by_all") == shown(page, "by_sure") == shown(page, "from_yes") == 0
    assert page.locator("circle.gpkl-dot:visible").count() == 0


@browser
def test_the_line_of_python_scrolls_and_takes_the_focus(stage):
    page = stage(WhoCounts.from_board(BOARD)).page
    code = page.locator(".gpkl-python code")
    code.focus()
    before = code.evaluate("(x) => x.scrollTop")
    page.keyboard.press("End")
    page.wait_for_timeout(400)
    assert code.evaluate("(x) => x.scrollTop") > before
    assert code.bounding_box()["height"] < 160


def test_what_the_chapter_says_of_it():
    """The divisor hardly matters for every span and is everything for a yes; the mask drops the yes."""
    every, yes = (WhoCounts.from_board(BOARD, threshold=0.9, who=who).values() for who in ("every span", "yes only"))
    assert every["by_all"] == pytest.approx(every["by_sure"], rel=0.05)
    assert yes["by_sure"] > 50 * yes["by_all"] > 0
    loose, strict = (WhoCounts.from_board(BOARD, threshold=x).values() for x in (0.5, 0.95))
    assert strict["counted"] > 0.95 * loose["counted"]
    assert strict["yes"] <= loose["yes"] / 2


def test_from_scores_keeps_two_decimals_and_the_triangle():
    scores = torch.arange(18, dtype=torch.float64).reshape(2, 3, 3) / 7
    widget = WhoCounts.from_scores(["a", "b", "c"], ["x", "y"], scores, -scores)
    assert widget.t[0] == [round(v / 7, 2) for v in (0, 1, 2, 4, 5, 8)]
    assert widget.s[1][-1] == round(-17 / 7, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0.4}, "threshold must lie between 0.5 and 0.9999, got 0.4"),
        ({"threshold": 1.0}, "threshold must lie between"),
        ({"temperature": 0.0}, "temperature must lie between 0.05 and 20"),
        ({"who": "no only"}, "who"),
        ({"t": [[math.inf]]}, "every score of t must lie between"),
    ],
)
def test_wrong_values_are_refused(options, message):
    with pytest.raises(traitlets.TraitError, match=message):
        WhoCounts(**{"tokens": ["a"], "types": ["x"], "t": [[1.0]], "s": [[0.0]], **options})
    with pytest.raises(ValueError, match="s must hold 1 scores for each of 1 types"):
        WhoCounts(["a"], ["x"], [[1.0]], [[0.0, 1.0]])
