"""Same divergence, other decisions in a browser: what a shift does to both divergences and to what is decoded."""

from pathlib import Path

import pytest
from explorable_page import settled, shown
from specimen import SPECIMENS

from gpkl_lib.explore import OtherDecisions
from gpkl_lib.explore.recorded.boards import load_boards

pytestmark = pytest.mark.browser
BOARD = load_boards(Path(__file__).parents[2] / "book/_results/span-boards.jsonl")[3]


def test_softmax_stays_at_0_while_decisions_flip_and_sigmoid_sees_it(stage):
    page = stage(OtherDecisions.from_board(BOARD, kind="place")).page
    shift, flips, sigmoid = page.get_by_label("shift c of t"), [], []
    for c in (-12, -5, 0, 5, 12):
        shift.fill(str(c))
        settled(page)
        assert shown(page, "softmax") < 1e-24
        flips.append(shown(page, "flipped"))
        sigmoid.append(shown(page, "sigmoid"))
    assert flips[2] == sigmoid[2] == 0
    assert flips[0] > flips[1] > 0
    assert flips[4] > flips[3] > 0
    assert sigmoid[0] > sigmoid[1] > 0.1
    assert sigmoid[4] > sigmoid[3] > 0.1


def test_a_flipped_decision_costs_sigmoid_more_than_noise_where_nothing_is_decided(stage):
    page = stage(OtherDecisions.from_board(BOARD, kind="place", second="dropout")).page
    flip = shown(page, "flipped"), shown(page, "softmax"), shown(page, "sigmoid")
    page.get_by_label("span type").select_option("event")
    settled(page)
    noise = shown(page, "flipped"), shown(page, "softmax"), shown(page, "sigmoid")
    assert (flip[0], noise[0]) == (1, 0)
    assert noise[1] > 5 * flip[1]
    assert flip[2] > 100 * noise[2]


def test_decoded_spans_and_cells_are_the_library_s(stage):
    settings = SPECIMENS["other_decisions"].settings
    page = stage(*settings).page
    for i, widget in enumerate(settings):
        part = page.locator("gpkl-explorable").nth(i)
        for tone, spans, view in zip(("blue", "vermilion"), widget.spans(), widget.views(), strict=True):
            text = part.locator(f"div.gpkl-wide > div.gpkl-{tone}").inner_text().split(": ", 1)[1]
            assert text.startswith(spans[0] if spans else "nothing")
            assert text.count(";") == max(0, min(len(spans), 8) - 1)
            cells = part.locator(f"rect.gpkl-bar.gpkl-{tone}").evaluate_all(
                "all => all.map(one => one.getAttribute('visibility') === 'visible')"
            )
            assert cells == (view > 0).tolist()
        outlined = part.locator("rect.gpkl-unequal[visibility=visible]").count()
        assert outlined == 2 * shown(part, "flipped")


def test_dragging_across_the_curves_sets_the_shift(stage):
    page = stage(OtherDecisions.from_board(BOARD)).page
    plot = page.locator(".gpkl-across").bounding_box()
    page.mouse.click(plot["x"] + 0.75 * plot["width"], plot["y"] + 40)
    settled(page)
    assert page.get_by_label("shift c of t").input_value() == "6"


def test_scores_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="s must hold 6 scores for each of 1 types, got \\[3\\]"):
        OtherDecisions(["a", "b", "c"], ["x"], [[1, 2, 3]], [[1, 2, 3]])
    with pytest.raises(Exception, match="kind must be one of x, got 'y'"):
        OtherDecisions(["a", "b"], ["x"], [[1, 2, 3]], [[1, 2, 3]], kind="y")
    with pytest.raises(Exception, match="every score of t must lie between -10000 and 10000, got inf"):
        OtherDecisions(["a", "b"], ["x"], [[1, 2, 3]], [[1, 2, float("inf")]])
    with pytest.raises(Exception, match="shift must lie between -12 and 12, got 13"):
        OtherDecisions(["a", "b"], ["x"], [[1, 2, 3]], [[1, 2, 3]], shift=13)
