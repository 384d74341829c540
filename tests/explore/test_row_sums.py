"""Row sums in a browser: a board whose cells are dragged, and outputs that move or do not."""

import pytest
import traitlets
from explorable_page import settled, shown

from gpkl_lib.explore import RowSums

ZEROS = [0.0] * 64


def score(page):
    return page.get_by_label("score s").input_value()


@pytest.mark.browser
def test_a_cell_is_chosen_and_dragged_sideways_and_softmax_does_not_care(stage):
    page = stage(RowSums()).page
    board = page.locator(".gpkl-rs-board")
    box = board.bounding_box()
    x, y = box["x"] + 6.5 * box["width"] / 8, box["y"] + 1.5 * box["height"] / 8
    page.mouse.move(x, y)
    page.mouse.down()
    settled(page)
    assert "row 2, column 7" in board.get_attribute("aria-label")
    before, weight = float(score(page)), shown(page, "weight")
    page.mouse.move(x + 60, y + 40, steps=4)
    page.mouse.up()
    page.mouse.move(x - 100, y)
    settled(page)
    assert float(score(page)) == pytest.approx(before + 3)
    assert shown(page, "weight") > 2 * weight
    assert (shown(page, "sum"), shown(page, "spread")) == (pytest.approx(1), 0)


@pytest.mark.browser
def test_keys_move_the_cell_and_change_its_score_within_its_range(stage):
    page = stage(RowSums(ZEROS, row=0, column=0)).page
    board = page.locator(".gpkl-rs-board")
    board.focus()
    for key in ("ArrowUp", "ArrowLeft", "ArrowDown", "ArrowRight", "ArrowRight", "+", "+", "-"):
        page.keyboard.press(key)
        settled(page)
    assert "row 2, column 3" in board.get_attribute("aria-label")
    assert float(score(page)) == 0.5
    for _ in range(8):
        page.keyboard.press("PageUp")
        settled(page)
    assert float(score(page)) == 6


@pytest.mark.browser
def test_a_finger_drags_a_cell_and_the_page_stays(stage):
    page = stage(RowSums(ZEROS), width=390, height=900, has_touch=True, is_mobile=True).page
    box = page.locator(".gpkl-rs-board").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch, scrolled = page.context.new_cdp_session(page), page.evaluate("scrollY")
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 7):
        points = [{"x": x + 10 * step, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    settled(page)
    assert 1.5 < float(score(page)) <= 3
    assert page.evaluate("scrollY") == scrolled


@pytest.mark.browser
def test_what_moves_the_outputs_and_what_does_not(stage):
    page = stage(RowSums()).page
    seen = {}
    for kind in ("softmax", "l2", "sigmoid", "urpe"):
        page.get_by_role("combobox", name="weights").select_option(kind)
        for sees in ("all tokens", "none after it"):
            page.get_by_label(sees, exact=True).check()
            for first in ("equal", "another"):
                page.get_by_label(first, exact=True).check()
                settled(page)
                seen[kind, sees, first] = shown(page, "spread")
    still = {setting for setting, spread in seen.items() if spread == 0}
    assert still == {("softmax", "all tokens", "equal"), ("softmax", "none after it", "equal")}
    assert min(spread for setting, spread in seen.items() if setting not in still) > 0.05


@pytest.mark.parametrize("count", [63, 65])
def test_a_board_has_64_scores(count):
    with pytest.raises(traitlets.TraitError, match="scores must hold 64 scores"):
        RowSums([0.0] * count)


def test_one_in_i_is_what_a_causal_row_sees_of_the_first_token():
    outputs = [RowSums(ZEROS, causal=True, first=True, row=i).values()["output"] for i in range(8)]
    assert outputs == pytest.approx([1 - 1 / i for i in range(1, 9)])
