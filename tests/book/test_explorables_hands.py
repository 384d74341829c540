"""Explorables in a browser: by mouse, by touch, by keyboard, by screen reader."""

import functools
import itertools
import math
from pathlib import Path

import axe_playwright_python
import pytest
from explorable_page import NUMBER, QUIZ, put_on_page, run_line, settled, shown

from gpkl_lib.explore import SoftmaxLogsumexp, TwoViews

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
pytestmark = pytest.mark.browser


@pytest.fixture
def stage(open_page, tmp_path):
    return functools.partial(put_on_page, open_page, tmp_path)


def test_dragging_a_logit(stage):
    page = stage(SoftmaxLogsumexp()).page
    knob = page.get_by_role("slider", name="logit x₂")
    box = knob.locator(".gpkl-hit").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 3, y - 20, steps=3)
    page.mouse.move(x + 3, y - 40, steps=3)
    page.mouse.up()
    settled(page)
    assert float(knob.get_attribute("aria-valuenow")) == 4.0  # 20 px a unit
    assert knob.get_attribute("aria-valuetext") == "4.0"
    wanted = SoftmaxLogsumexp([1, 4, 3, 4]).values()
    assert shown(page, "lse") == pytest.approx(wanted["lse"], rel=1e-12)
    assert run_line(page) == pytest.approx(wanted["lse"], rel=1e-12)
    page.mouse.move(x, y - 150)  # the button is up: nothing moves any more
    settled(page)
    assert float(knob.get_attribute("aria-valuenow")) == 4.0


def test_dragging_both_views_and_the_shift(stage):
    page = stage(TwoViews([1, 0, -1], [0, 0, 0], shift=1)).page
    for name, dy in (("s₁", -36), ("t₂ + c", 36)):
        box = page.get_by_role("slider", name=name).locator(".gpkl-hit").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x, y + dy, steps=4)
        page.mouse.up()
    settled(page)  # 18 px a unit: s1 = 3, t2 + c = -1, so t2 = -2
    assert shown(page, "total") == pytest.approx(TwoViews([3, 0, -1], [0, -2, 0], shift=1).values()["total"], rel=1e-12)
    plot = page.locator(".gpkl-across").bounding_box()
    page.mouse.click(plot["x"] + 0.75 * plot["width"], plot["y"] + 40)
    settled(page)
    assert page.get_by_label("shift c of t").input_value() == "2"


@pytest.mark.parametrize(("widget", "name"), [(SoftmaxLogsumexp(), "logit x₂"), (TwoViews(), "t₂ + c")])
def test_dragging_by_touch_moves_the_handle_and_not_the_page(stage, widget, name):
    page = stage(widget, width=390, height=700, has_touch=True, is_mobile=True).page
    knob = page.get_by_role("slider", name=name)
    before = float(knob.get_attribute("aria-valuenow"))
    box = knob.locator(".gpkl-hit").bounding_box()
    assert min(box["width"], box["height"]) >= 24
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    stops = page.evaluate(
        """([x, y]) => {
          addEventListener("touchstart", (event) => (window.stopped = event.defaultPrevented));
          return getComputedStyle(document.elementFromPoint(x, y)).touchAction;
        }""",
        [x, y],
    )
    touch = page.context.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 7):
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y + 10 * step}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    settled(page)
    assert float(knob.get_attribute("aria-valuenow")) == pytest.approx(
        before - 60 / (20 if "x" in name else 18), abs=0.06
    )
    assert page.evaluate("scrollY") == 0
    assert (stops, page.evaluate("stopped")) == ("none", True)  # one for each engine, either enough here


def test_presets_and_reset(stage):
    page = stage(SoftmaxLogsumexp([0.5, 1.5, 0.0], temperature=2)).page
    menu = page.get_by_label("start from")
    assert menu.locator("option:checked").inner_text() == "your own"
    menu.select_option(label="two tie at the top")
    settled(page)
    assert shown(page, "max") == 3
    assert page.locator("rect.gpkl-hard[visibility=visible]").count() == 2
    assert page.get_by_role("slider", name="logit").count() == 4
    page.get_by_role("button", name="Reset").click()
    settled(page)
    assert run_line(page) == pytest.approx(SoftmaxLogsumexp([0.5, 1.5, 0.0], temperature=2).values()["lse"], rel=1e-12)
    assert page.get_by_role("slider", name="logit").count() == 3


def test_copy_button_copies_the_line(stage):
    page = stage(TwoViews(), permissions=["clipboard-read", "clipboard-write"]).page
    page.get_by_role("button", name="Copy the line of Python").click()
    page.get_by_text("Copied", exact=True).first.wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator(".gpkl-python code").inner_text()


def test_handles_by_keyboard(stage):
    page = stage(SoftmaxLogsumexp()).page
    knob = page.get_by_role("slider", name="logit x₁")
    knob.focus()
    seen = []
    for key in ("ArrowUp", "ArrowRight", "ArrowDown", "ArrowLeft", "PageUp", "PageDown", "Home", "End"):
        page.keyboard.press(key)
        settled(page)
        seen.append(float(knob.get_attribute("aria-valuenow")))
    assert seen == [1.1, 1.2, 1.1, 1.0, 2.0, 1.0, -5.0, 5.0]
    assert shown(page, "max") == 5


@pytest.mark.parametrize(("widget", "stops"), [(SoftmaxLogsumexp(), 9), (TwoViews(), 13)])
def test_every_control_is_reached_by_tab_and_shows_its_focus(stage, widget, stops):
    page = stage(widget).page
    names = []
    for _ in range(stops):
        page.keyboard.press("Tab")
        name, mark, suppressed = page.evaluate(
            """() => {
              const one = document.activeElement, style = (node) => getComputedStyle(node);
              const ring = one.querySelector(".gpkl-focus"), drawn = one.type === "radio" ? one.nextSibling : one;
              return [one.getAttribute("aria-label") ?? one.labels?.[0]?.innerText ?? one.textContent,
                ring ? style(ring).stroke : style(drawn).outlineStyle === "solid" && style(drawn).outlineWidth,
                one.dataset.lmSuppressShortcuts];
            }"""
        )
        assert mark not in (None, False, "none", "0px"), name
        assert suppressed == "true", name
        names.append(name.split("\n")[0])
    assert len(set(names)) == stops
    assert names[0] == "Reset"
    assert names[-1] == "Copy the line of Python"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('gpkl-explorable')") is None


def test_native_controls_by_keyboard(stage):
    page = stage(TwoViews(), SoftmaxLogsumexp()).page
    page.get_by_label("softmax", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.get_by_label("shift c of t").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    settled(page)
    wanted = TwoViews(shift=0.3, activation="sigmoid").values()["total"]
    first, second = page.locator("gpkl-explorable").all()
    assert shown(first, "total") == pytest.approx(wanted, rel=1e-12)
    second.get_by_label("temperature T").focus()
    page.keyboard.press("Home")
    second.get_by_label("scale s").focus()
    page.keyboard.press("End")
    settled(page)
    assert run_line(second) == pytest.approx(400, rel=1e-12)
    second.get_by_label("start from").select_option(label="all the same")
    settled(page)
    assert shown(second, "gap") == pytest.approx(math.log(4), rel=1e-12)


def test_live_region_speaks_once_after_a_drag(stage):
    page = stage(SoftmaxLogsumexp()).page
    page.wait_for_timeout(900)
    page.evaluate(
        """() => {
          window.said = [];
          const status = document.querySelector("[role=status]");
          const observer = new MutationObserver(() => said.push(status.textContent));
          observer.observe(status, {childList: true, characterData: true, subtree: true});
        }"""
    )
    page.get_by_role("slider", name="logit x₁").focus()
    for _ in range(20):
        page.keyboard.press("ArrowUp")
    page.wait_for_timeout(1200)
    said = page.evaluate("said")
    assert len(said) == 1
    assert f"Smooth maximum {shown(page, 'lse'):.4f}" in said[0]


@pytest.mark.parametrize(("theme", "width"), [*itertools.product(["light", "dark"], [1280, 390])])
def test_axe_finds_nothing(stage, theme, width):
    visit = stage(SoftmaxLogsumexp(), TwoViews(activation="sigmoid"), QUIZ, NUMBER, theme=theme, width=width)
    visit.page.get_by_role("button", name="log 2").click()
    visit.page.get_by_role("button", name="1").last.click()
    visit.page.get_by_role("button", name="Check").click()
    visit.page.add_script_tag(content=AXE.read_text("utf8"))
    found = visit.page.evaluate("axe.run('main')")
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_of_text_and_graphics_in_plots(stage, theme):
    page = stage(SoftmaxLogsumexp(), TwoViews(activation="sigmoid"), theme=theme).page
    ratios = page.evaluate(
        """() => {
          const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
          const light = (colour) => {
            canvas.fillStyle = colour;
            canvas.fillRect(0, 0, 1, 1);
            const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((c) => c / 255)
              .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const paper = light(getComputedStyle(document.querySelector("div.gpkl")).backgroundColor);
          const ratio = (colour) => {
            const [low, high] = [light(colour), paper].sort((a, b) => a - b);
            return (high + 0.05) / (low + 0.05);
          };
          const worst = (selector, property) =>
            Math.min(...[...document.querySelectorAll(selector)].map((one) => ratio(getComputedStyle(one)[property])));
          return {
            text: worst("svg text", "fill"), bar: worst(".gpkl-bar, .gpkl-dot, .gpkl-handle", "fill"),
            line: worst(".gpkl-axis, .gpkl-hard, .gpkl-curve, .gpkl-stem, .gpkl-stack, .gpkl-mark", "stroke"),
            mark: worst(".gpkl-unequal, .gpkl-cursor, .gpkl-link, .gpkl-rule", "stroke"),
            control: worst(".gpkl-button, .gpkl-select, .gpkl-segments", "borderTopColor"),
          };
        }"""
    )
    assert ratios["text"] >= 4.5
    assert min(ratios.values()) >= 3


def test_ids_are_unique_on_a_page_with_several(stage):
    page = stage(SoftmaxLogsumexp(), TwoViews(), SoftmaxLogsumexp(), TwoViews(), QUIZ, NUMBER).page
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids)) >= 20
