"""The span board in a browser: keys, pointer and touch on cells, words and threshold; drawn is what was decided."""

import re
from pathlib import Path

import pytest
from explorable_page import settled, shown

from gpkl_lib.explore import SpanBoard
from gpkl_lib.explore.recorded.boards import fold, load_boards

pytestmark = pytest.mark.browser
LOADED = load_boards(Path(__file__).parents[2] / "book/_results/span-boards.jsonl")
SIGNS = {"○": "missed", "✗": "wrong", "✓": "right"}


def board(index=0, **settings):
    return SpanBoard(LOADED, board=index, **settings)


def cell(page):
    """(start, end exclusive) of the cell looked at, from the sentence that tells it."""
    told = re.search(r"words? (\d+)(?: to (\d+))?:", page.locator(".gpkl-sb-cell").inner_text())
    return int(told[1]) - 1, int(told[2] or told[1])


def centre(page, i, j, length):
    box = page.locator(".gpkl-sb-matrix").bounding_box()
    return box["x"] + box["width"] * (j + 0.5) / length, box["y"] + 30 * (i + 0.5)


def test_arrow_keys_walk_over_the_triangle_and_never_leave_it(stage):
    page = stage(board(cell=(3, 5), type="work")).page
    matrix = page.get_by_role("application")
    assert matrix.get_attribute("aria-label") == "Scores of type work: arrow keys move from span to span"
    matrix.focus()
    seen = []
    for key in ("ArrowLeft", "ArrowUp", "ArrowRight", "Home", "ArrowLeft", "ArrowDown", "End", "ArrowRight"):
        page.keyboard.press(key)
        settled(page)
        seen.append(cell(page))
        i, end = seen[-1]
        assert shown(page, "score") == LOADED[0].scores[4, i, end - 1].item()
    assert seen == [(3, 5), (2, 5), (2, 6), (2, 3), (2, 3), (3, 4), (3, 9), (3, 9)]
    assert page.evaluate("scrollY") == 0


def test_the_cell_is_told_in_words_and_to_screen_readers(stage):
    page = stage(board(2, type="organisation", cell=(1, 3))).page
    score = LOADED[2].scores[LOADED[2].types.index("organisation"), 1, 3].item()
    told = (
        f"Friends of Buven” as organisation, words 2 to 4: score {score:.2f}, above 0.0: "
        "decided, but no true span (wrong)."
    )
    assert told in page.locator(".gpkl-sb-cell").inner_text()
    page.wait_for_timeout(900)
    assert "Friends of Buven: organisation, words 2 to 4" in page.locator(".gpkl-status").inner_text()
    for (i, j), words in {
        (1, 4): "not decided, yet a true span (missed)",
        (0, 0): "not decided, and no true span",
    }.items():
        x, y = centre(page, i, j, 11)
        page.mouse.move(x, y)
        settled(page)
        assert words in page.locator(".gpkl-sb-cell").inner_text()


def test_hovering_and_touching_choose_a_cell_and_the_empty_triangle_chooses_none(stage):
    page = stage(board(1), width=390, has_touch=True, is_mobile=True).page
    page.locator(".gpkl-sb-matrix").scroll_into_view_if_needed()
    for i, j in ((0, 10), (4, 7), (10, 10)):
        page.touchscreen.tap(*centre(page, i, j, 11))
        settled(page)
        assert cell(page) == (i, j + 1)
    page.touchscreen.tap(*centre(page, 8, 1, 11))
    settled(page)
    assert cell(page) == (10, 11)


def test_dragging_over_words_looks_a_span_up(stage):
    page = stage(board(0)).page
    boxes = [page.locator(f"[data-token='{i}'] .gpkl-sb-word").bounding_box() for i in (3, 5)]
    points = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes]
    for one, other in (points, points[::-1]):
        page.get_by_role("application").focus()
        page.keyboard.press("ArrowUp")
        page.mouse.move(*one)
        page.mouse.down()
        page.mouse.move(*other, steps=5)
        page.mouse.up()
        settled(page)
        assert cell(page) == (3, 6)
        marked = page.locator(".gpkl-sb-on").evaluate_all("all => all.map(one => Number(one.dataset.token))")
        assert marked == [3, 4, 5]


@pytest.mark.parametrize("index", range(len(LOADED)))
@pytest.mark.parametrize("threshold", [-3.0, 0.0, 1.0])
def test_spans_over_the_text_are_those_decided_and_the_true_ones(stage, index, threshold):
    widget = board(index, threshold=threshold)
    page = stage(widget).page
    drawn = page.evaluate(
        """() => [...document.querySelectorAll(".gpkl-sb-first")].map((lane) => [lane.textContent,
          Number(lane.parentElement.dataset.token), [...lane.parentElement.children].indexOf(lane)])"""
    )
    right, gold = widget.decided(), widget.gold()
    wanted = sorted(
        (kind, start, "right" if one in gold and one in right else "wrong" if one in right else "missed")
        for one in {*right, *gold}
        for kind, start, _ in [one]
    )
    assert sorted((text[:-2], start, SIGNS[text[-1]]) for text, start, _ in drawn) == wanted
    assert len({(start, lane) for _, start, lane in drawn}) == len(drawn)  # no two over each other


def test_marks_in_the_matrix_are_the_verdicts_of_its_type(stage):
    for kind in ("organisation", "person", "place"):
        widget = board(2, type=kind)
        page = stage(widget).page
        signs = page.locator(".gpkl-sb-matrix .gpkl-text:not(.gpkl-end)").all_text_contents()
        assert len(signs) == 66
        spans = {one for one in {*widget.decided(), *widget.gold()} if one[0] == kind}
        assert sum(bool(sign) for sign in signs) == len(spans) > 0
        numbers = page.locator(".gpkl-sb-matrix g .gpkl-tick").all_text_contents()
        assert sum(text not in map(str, range(1, 12)) for text in numbers) >= 60


def test_dragging_the_threshold_changes_the_decisions(stage):
    page = stage(board(0)).page
    strip = page.locator(".gpkl-across").bounding_box()
    middle = strip["y"] + strip["height"] / 2
    page.mouse.move(strip["x"] + strip["width"] * 20 / 30, middle)
    page.mouse.down()
    counts = []
    for threshold in (3, 0, -2):
        page.mouse.move(strip["x"] + strip["width"] * (threshold + 20) / 30, middle, steps=3)
        settled(page)
        assert float(page.get_by_label("threshold θ").input_value()) == pytest.approx(threshold, abs=0.11)
        counts.append(int(shown(page, "predicted")))
    page.mouse.up()
    assert counts == [2, 4, 6]


def test_another_sentence_keeps_the_type_if_it_can(stage):
    page = stage(board(0, type="person")).page
    page.get_by_role("combobox", name="sentence").select_option("1")
    settled(page)
    assert page.get_by_role("combobox", name="type").input_value() == "person"
    assert shown(page, "score") == fold(LOADED[1].scores)[2].max().item()
    page.get_by_role("combobox", name="sentence").select_option("4")
    settled(page)
    assert page.get_by_role("combobox", name="type").locator("option").all_text_contents() == [
        "LOC",
        "LOCderiv",
        "ORG",
        "OTH",
        "PER",
    ]
    assert shown(page, "score") == fold(LOADED[4].scores)[0].max().item()
    page.get_by_role("button", name="Reset").click()
    settled(page)
    assert page.get_by_role("combobox", name="sentence").input_value() == "0"
    assert shown(page, "f1") == 1
