"""Choose your f in a browser: handles that move sideways, where learning stops, and the rectangle."""

import itertools

import pytest
from explorable_page import run_line, settled, shown

from gpkl_lib.explore import ChooseYourF

pytestmark = pytest.mark.browser


def middle(knob):
    box = knob.locator(".gpkl-hit").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def unit(page):
    """Pixels of one logit."""
    return page.locator(".gpkl-plot").first.bounding_box()["width"] / 16


@pytest.mark.parametrize("name", ["s", "t"])
def test_dragging_a_logit_sideways(stage, name):
    page = stage(ChooseYourF(s=-3, t=2)).page
    knob, pixels = page.get_by_role("slider", name=f"logit {name}"), unit(page)
    (x, y), before = middle(knob), float(knob.get_attribute("aria-valuenow"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + pixels, y - 3, steps=3)
    page.mouse.move(x + 2 * pixels, y - 3, steps=3)
    page.mouse.up()
    settled(page)
    assert float(knob.get_attribute("aria-valuenow")) == pytest.approx(before + 2, abs=0.11)
    state = {"s": -3.0, "t": 2.0} | {name: float(knob.get_attribute("aria-valuenow"))}
    assert shown(page, "divergence") == pytest.approx(ChooseYourF(**state).values()["divergence"], rel=1e-12)
    assert run_line(page) == pytest.approx(shown(page, "divergence"), rel=1e-12)
    page.mouse.move(x - 200, y)  # the button is up: nothing moves any more
    settled(page)
    assert float(knob.get_attribute("aria-valuenow")) == state[name]


@pytest.mark.parametrize("name", ["s", "t"])
def test_dragging_by_touch_moves_the_logit_and_not_the_page(stage, name):
    page = stage(ChooseYourF(), width=390, height=900, has_touch=True, is_mobile=True).page
    knob = page.get_by_role("slider", name=f"logit {name}")
    box = knob.locator(".gpkl-hit").bounding_box()
    assert min(box["width"], box["height"]) >= 24
    (x, y), before = middle(knob), float(knob.get_attribute("aria-valuenow"))
    touch = page.context.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 7):
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x + 10 * step, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    settled(page)
    assert float(knob.get_attribute("aria-valuenow")) > before + 1
    assert page.evaluate("[scrollX, scrollY]") == [0, 0]


def test_handles_by_keyboard(stage):
    page = stage(ChooseYourF(s=1, t=0)).page
    knob, seen = page.get_by_role("slider", name="logit s"), []
    knob.focus()
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown", "PageUp", "PageDown", "Home", "End"):
        page.keyboard.press(key)
        settled(page)
        seen.append(float(knob.get_attribute("aria-valuenow")))
    assert seen == [1.1, 1.2, 1.1, 1.0, 2.0, 1.0, -8.0, 8.0]
    assert shown(page, "divergence") == pytest.approx(ChooseYourF(s=8, t=0).values()["divergence"], rel=1e-12)


def test_clicking_a_curve_moves_s(stage):
    page = stage(ChooseYourF()).page
    box = page.locator(".gpkl-across").first.bounding_box()
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 40)
    settled(page)
    assert page.get_by_role("slider", name="logit s").get_attribute("aria-valuenow") == "4"


def test_learning_stops_only_where_f_is_flat_between_the_views(stage):
    page = stage(ChooseYourF()).page
    stopped = {}
    for f, (s, t) in itertools.product(("sigmoid", "step", "clipped"), ((-0.5, 7), (0.5, 7), (3, 7))):
        page.get_by_label("function f").select_option(f)
        page.evaluate("() => 0")
        for name, value in (("s", s), ("t", t)):
            page.get_by_role("slider", name=f"logit {name}").focus()
            page.keyboard.press("Home")
            for _ in range(int(value + 8)):
                page.keyboard.press("PageUp")
            for _ in range(round(10 * (value % 1))):
                page.keyboard.press("ArrowUp")
        settled(page)
        said = page.get_by_text("learning has stopped").count() == 1
        assert said == (shown(page, "divergence") == 0) == (shown(page, "gradient") == 0)
        stopped[f, s] = said
    assert [key for key, said in stopped.items() if said] == [("step", 0.5), ("step", 3), ("clipped", 3)]


def test_the_rectangle_has_the_area_d(stage):
    for widget in (
        ChooseYourF(),
        ChooseYourF("step", -0.5, 7),
        ChooseYourF("clipped", -1, 1.5),
        ChooseYourF("tanh", 1, -1),
    ):
        page = stage(widget).page
        box = page.locator("rect.gpkl-bar.gpkl-green").bounding_box()
        tall = 95 if widget.f == "tanh" else 190  # pixels of one unit of f
        area = box["width"] / unit(page) * box["height"] / tall
        assert area == pytest.approx(widget.values()["divergence"], rel=0.02)
