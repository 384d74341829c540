"""Tiles in a browser: stepping, playing, going to a row, dragging L; and that every way over the board arrives."""

import math

import pytest
import torch
import traitlets
from explorable_page import run_line, settled, shown

from gpkl_lib.explore import Tiles
from gpkl_lib.explore.tiles import SCORES, board_bytes, tiled_bytes, walk

browser = pytest.mark.browser
NINE = [float(x) for row in SCORES for x in row]


@browser
def test_step_by_step_the_running_value_arrives_and_begins_again(stage):
    page = stage(Tiles(rows=2, blocks=0)).page
    step = page.get_by_role("button", name="Step")
    assert shown(page, "logsumexp") == 0  # the threshold alone
    for block in range(1, 6):
        step.click()
        settled(page)
        wanted = walk(NINE, rows=2, blocks=block)
        assert shown(page, "logsumexp") == pytest.approx(wanted.logsumexp, rel=1e-12)
        assert shown(page, "factor") == pytest.approx(wanted.factor, rel=1e-12)
        assert (
            page.locator(
                ".gpkl-panel .gpkl-label", has_text=f"block {block} of 5: {wanted.cells} of 81 cells computed"
            ).count()
            == 1
        )
    assert shown(page, "logsumexp") == pytest.approx(shown(page, "final"), rel=1e-14)
    assert shown(page, "forgotten") > shown(page, "final") + 0.5
    step.click()
    settled(page)
    assert shown(page, "sum") == 1


@browser
@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_play_goes_to_the_end_and_halts(stage, motion):
    page = stage(Tiles(rows=3, blocks=3), reduced_motion=motion).page
    page.evaluate(
        """() => { const seen = (window.seen = []), sum = document.querySelector('[data-key="sum"]');
        new MutationObserver(() => seen.push(sum.getAttribute("value"))).observe(sum, {attributes: true}); }"""
    )
    if motion == "reduce":
        page.get_by_role("button", name="Step").click()  # back to the beginning
    page.get_by_role("button", name="Play").click()
    page.locator(".gpkl-panel .gpkl-label", has_text="block 3 of 3").wait_for()
    page.get_by_role("button", name="Play").wait_for()
    assert len(page.evaluate("seen")) == (4 if motion == "no-preference" else 2)
    assert run_line(page) == pytest.approx(shown(page, "final"), rel=1e-12)


@browser
def test_a_row_is_pressed_and_reset_halts_the_play(stage):
    page = stage(Tiles(rows=2, blocks=1)).page
    board = page.locator(".gpkl-plot").first.bounding_box()
    page.mouse.click(board["x"] + 20, board["y"] + board["height"] * 6.5 / 9)
    settled(page)
    assert page.locator(".gpkl-panel .gpkl-label", has_text="block 4 of 5").count() == 1
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Reset").click()
    page.locator(".gpkl-panel .gpkl-label", has_text="block 1 of 5").wait_for()
    page.wait_for_timeout(900)
    assert page.locator(".gpkl-panel .gpkl-label", has_text="block 1 of 5").count() == 1


@browser
def test_rows_that_change_keep_the_place_and_the_length_is_dragged(stage):
    page = stage(Tiles(rows=3, blocks=2)).page
    page.get_by_label("rows r of a block").fill("2")
    settled(page)
    assert page.locator(".gpkl-panel .gpkl-label", has_text="block 3 of 5").count() == 1  # six rows, as before
    page.get_by_label("rows r of a block").fill("9")
    settled(page)
    page.get_by_label("rows r of a block").fill("4")
    settled(page)
    assert (
        page.locator(".gpkl-panel .gpkl-label", has_text="block 3 of 3: 57 of 81 cells computed").count() == 1
    )  # 4 * 9 + 4 * 5 + 1
    page.locator(".gpkl-across").scroll_into_view_if_needed()
    box = page.locator(".gpkl-across").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] + 40, box["y"] + 30, steps=4)
    page.mouse.up()
    settled(page)
    assert shown(page, "dense") == 7.8 * board_bytes(4, 10, 8192)
    assert shown(page, "tiled") == tiled_bytes(4, 10, 8192, 64)
    assert page.get_by_label("length L").get_attribute("aria-valuetext") == "8192"


@pytest.mark.parametrize("rows", range(1, 13))
def test_every_block_size_arrives_at_the_same_value(rows):
    whole = torch.logsumexp(torch.tensor([0.0, *NINE], dtype=torch.float64), 0).item()
    now = walk(NINE, rows=rows, blocks=9)
    assert now.logsumexp == pytest.approx(whole, rel=1e-15)
    assert now.maximum == 7
    assert now.forgotten >= now.logsumexp
    assert now.cells == sum((min(a + rows, 9) - a) * (9 - a) for a in range(0, 9, rows))


def test_scores_of_a_thousand_neither_overflow_nor_vanish():
    assert walk([-1000.0] * 45, rows=2, blocks=9).logsumexp == 0
    assert walk([1000.0] * 45, rows=2, blocks=9).logsumexp == 1000 + math.log(45)
    assert walk([1000.0, -1000.0, 0.0], rows=1, blocks=2).factor == 1
    assert walk([-1000.0, 0.0, 1000.0], rows=1, blocks=2).factor == 0  # e^-1000: nothing is left of the old sum


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scores": [1.0, 2.0]}, r"L\(L\+1\)/2 numbers, the triangle of a board, got 2"),
        ({"scores": []}, "got 0"),
        ({"scores": [0.0]}, "tokens of scores must lie between 2 and 12, got 1"),
        ({"scores": [0.0] * 91}, "between 2 and 12, got 13"),
        ({"scores": [0.0, 1001.0, 0.0]}, "scores must lie between -1000 and 1000, got 1001"),
        ({"scores": [0.0, float("nan"), 0.0]}, "got nan"),
        ({"rows": 0}, "rows must lie between 1 and 12, got 0"),
        ({"blocks": -1}, "blocks must lie between 0 and 12"),
        ({"length": 9000}, "length must lie between 128 and 8192"),
        ({"copies": 0}, "copies must lie between 1 and 100"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, message):
    with pytest.raises(traitlets.TraitError, match=message):
        Tiles(**options)


def test_a_walk_refuses_what_is_no_board():
    for options, message in (({"rows": 0, "blocks": 1}, "rows must be"), ({"rows": 1, "blocks": -1}, "got 1 and -1")):
        with pytest.raises(ValueError, match=message):
            walk(NINE, **options)
    with pytest.raises(ValueError, match="got 44"):
        walk(NINE[:-1], rows=1, blocks=1)
