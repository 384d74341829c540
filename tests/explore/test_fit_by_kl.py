"""Fit by KL in a browser: dragging sideways, descending with and without motion, and where each direction rests."""

import math

import pytest
import traitlets
from explorable_page import run_line, settled, shown

from gpkl_lib.explore import FitByKL
from gpkl_lib.explore.fit_by_kl import descend, divergences, fit_loss

browser = pytest.mark.browser


def place(page):
    return [
        float(page.get_by_role("slider", name=f"{x} of q").get_attribute("aria-valuenow")) for x in ("mean", "width")
    ]


def go_down(page):
    page.get_by_role("button", name="Descend").click()
    page.get_by_role("button", name="Descend").wait_for()
    settled(page)


@browser
@pytest.mark.parametrize("direction", ["forward", "reverse", "symmetric"])
@pytest.mark.parametrize("start", [(-3.0, 1.0), (1.0, 0.8), (3.5, 0.5)])
def test_the_descent_rests_where_the_library_s_does(stage, direction, start):
    page = stage(FitByKL(mean=start[0], width=start[1], direction=direction), reduced_motion="reduce").page
    go_down(page)
    wanted = descend(mean=start[0], width=start[1], gap=6.0, direction=direction)
    assert place(page) == pytest.approx(wanted, abs=2e-4)
    least = fit_loss(mean=wanted[0], width=wanted[1], gap=6.0, direction=direction)
    assert shown(page, "objective") == pytest.approx(least, abs=1e-6)
    assert run_line(page) == pytest.approx(shown(page, "objective"), rel=1e-12)


@browser
@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_only_where_motion_is_wanted_is_there_something_between(stage, motion):
    page = stage(FitByKL(), reduced_motion=motion).page
    page.evaluate(
        """() => { const seen = (window.seen = []), knob = document.querySelector('[aria-label="mean of q"]');
        const look = new MutationObserver(() => seen.push(Number(knob.getAttribute("aria-valuenow"))));
        look.observe(knob, {attributes: true}); }"""
    )
    begin = shown(page, "objective")
    go_down(page)
    places = len(set(page.evaluate("seen")))
    assert places > 20 if motion == "no-preference" else places == 1
    assert shown(page, "objective") < begin
    assert place(page) == pytest.approx([-0.6, math.sqrt(9.64)], abs=2e-4)  # the moments of the target


@browser
def test_dragging_and_reset_stop_the_descent(stage):
    page = stage(FitByKL()).page
    button = page.get_by_role("button", name="Descend")
    button.click()
    page.get_by_role("button", name="Stop").wait_for()
    page.get_by_role("slider", name="width of q").press("ArrowUp")
    button.wait_for()
    settled(page)  # the last step before the key may still wait for its frame
    held = place(page)
    page.wait_for_timeout(200)
    assert place(page) == held
    button.click()
    page.get_by_role("button", name="Stop").click()
    assert page.get_by_text("stopped after").count() == 1
    page.get_by_role("button", name="Reset").click()
    settled(page)
    assert place(page) == [1.0, 0.8]


@browser
@pytest.mark.parametrize("touch", [False, True])
def test_both_handles_are_dragged_sideways(stage, touch):
    phone = {"width": 390, "height": 700, "has_touch": True, "is_mobile": True} if touch else {}
    page = stage(FitByKL(), **phone).page
    unit = page.locator(".gpkl-plot").first.bounding_box()["width"] / 16
    for name, units in (("mean of q", -2), ("width of q", 1)):
        knob = page.get_by_role("slider", name=name)
        knob.scroll_into_view_if_needed()
        before, box = float(knob.get_attribute("aria-valuenow")), knob.locator(".gpkl-hit").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        assert min(box["width"], box["height"]) >= 24
        if touch:
            finger = page.context.new_cdp_session(page)
            finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
            for k in range(1, 7):
                at = {"x": x + units * unit * k / 6, "y": y + 4 * k}
                finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at]})
            finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        else:
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(x + units * unit, y + 30, steps=5)
            page.mouse.up()
        settled(page)
        assert float(knob.get_attribute("aria-valuenow")) == pytest.approx(before + units, abs=0.051)
    mean, width = place(page)
    assert shown(page, "forward") == pytest.approx(FitByKL(mean=mean, width=width).values()["forward"], rel=1e-12)


@browser
def test_one_mode_is_met_exactly_whichever_way(stage):
    for direction in ("forward", "reverse", "symmetric"):
        page = stage(FitByKL(mean=2, width=3, gap=0, direction=direction), reduced_motion="reduce").page
        go_down(page)
        assert place(page) == pytest.approx([0, 1], abs=2e-4)
        assert shown(page, "objective") == pytest.approx(0, abs=1e-7)


def test_the_quadrature_meets_the_closed_form():
    """At gap 0 the target is N(0, 1); far apart, one mode costs -log of its share in reverse."""
    for mean, width in ((0.0, 1.0), (1.0, 1.0), (-6.0, 5.0), (3.0, 0.3)):
        found = divergences(mean, width, 0.0)
        assert float(found["forward"]) == pytest.approx(
            (1 + mean**2) / (2 * width**2) + math.log(width) - 0.5, abs=1e-12
        )
        assert float(found["reverse"]) == pytest.approx((width**2 + mean**2) / 2 - math.log(width) - 0.5, abs=1e-12)
    assert float(divergences(-4.0, 1.0, 8.0)["reverse"]) == pytest.approx(-math.log(0.6), abs=2e-4)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"mean": 7}, "mean must lie between -6 and 6"),
        ({"width": 0}, "width must lie between 0.3 and 5"),
        ({"gap": math.nan}, "gap must lie between 0 and 8, got nan"),
        ({"direction": "sideways"}, "direction"),
    ],
)
def test_states_outside_are_refused(state, message):
    with pytest.raises(traitlets.TraitError, match=message):
        FitByKL(**state)
