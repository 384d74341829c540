"""Two views in a browser: decisions, the height of its stack, and what a shift does."""

import pytest
from explorable_page import settled, shown
from specimen import SPECIMENS

from gpkl_lib.explore import SoftmaxLogsumexp, TwoViews

pytestmark = pytest.mark.browser


def test_marks_and_heights_are_the_library_s(stage):
    settings = SPECIMENS["two_views"].settings
    page = stage(*settings).page
    for i, widget in enumerate(settings):
        part, total = page.locator("gpkl-explorable").nth(i), widget.values()["total"]
        assert shown(part, "total") == shown(part, widget.activation)
        marks = part.locator(".gpkl-mark").evaluate_all("all => all.map(one => !one.classList.contains('gpkl-off'))")
        s, t = widget.decisions()
        assert marks == [i in view for i in range(len(widget.s)) for view in (s, t)]
        heights = part.locator("rect.gpkl-stack, .gpkl-panel:nth-child(2) rect.gpkl-bar").evaluate_all(
            "all => all.map(one => one.height.baseVal.value)"
        )
        top, _, power = part.locator(".gpkl-panel:nth-child(2) .gpkl-tick").last.text_content().partition("·10")
        assert sum(heights) * float(top) * 10 ** "⁰¹²³⁴⁵⁶⁷".index(power or "⁰") / 216 == pytest.approx(
            total, rel=1e-3, abs=1e-9
        )


def test_a_shift_leaves_softmax_and_flips_sigmoid(stage):
    part = stage(TwoViews([2, 1, -1, -2], [2, 1, -1, -2], activation="sigmoid")).page
    shift = part.get_by_label("shift c of t")
    counts = {}
    for c in (-3, -1.5, 0, 1.5, 3):
        shift.fill(str(c))
        settled(part)
        counts[c] = int(shown(part, "decided"))
        assert shown(part, "softmax") < 1e-28
        assert (shown(part, "sigmoid") > 0.1) == (c != 0)
    assert counts == {-3: 2, -1.5: 1, 0: 0, 1.5: 1, 3: 2}


def test_dragging_across_the_plot_sets_the_shift(stage):
    page = stage(TwoViews([1, 0, -1], [0, 0, 0], shift=1)).page
    plot = page.locator(".gpkl-across").bounding_box()
    page.mouse.click(plot["x"] + 0.75 * plot["width"], plot["y"] + 40)
    settled(page)
    assert page.get_by_label("shift c of t").input_value() == "2"


def test_native_controls_by_keyboard(stage):
    page = stage(TwoViews(), SoftmaxLogsumexp()).page
    page.get_by_label("softmax", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.get_by_label("shift c of t").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    settled(page)
    first, second = page.locator("gpkl-explorable").all()
    wanted = TwoViews(shift=0.3, activation="sigmoid").values()["total"]
    assert shown(first, "total") == pytest.approx(wanted, rel=1e-12)
    second.get_by_label("temperature T").focus()
    page.keyboard.press("Home")
    second.get_by_label("scale s").focus()
    page.keyboard.press("End")
    settled(page)
    assert shown(second, "lse") == pytest.approx(400, rel=1e-12)
