"""All explorables in a browser: by mouse, by touch, by keyboard, by screen reader."""

import itertools

import pytest
from browser import axe
from explorable_page import NUMBER, QUIZ, run_line, settled, shown
from specimen import DRAGGED, SPECIMENS, settings

from gpkl_lib.explore import TwoViews

EVERY = pytest.mark.parametrize("name", SPECIMENS)
HANDLES = pytest.mark.parametrize("name", DRAGGED)
pytestmark = pytest.mark.browser


def position(knob):
    return float(knob.get_attribute("aria-valuenow"))


def middle(knob):
    box = knob.locator(".gpkl-hit").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@HANDLES
def test_dragging_by_mouse(stage, name):
    for handle, up, change in SPECIMENS[name].drags:
        drag_by_mouse(stage, name, handle, up, change)


def drag_by_mouse(stage, name, handle, up, change):
    page = stage(SPECIMENS[name].settings[0]).page
    knob = page.get_by_role("slider", name=handle)
    before, (x, y) = position(knob), middle(knob)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 3, y - up / 2, steps=3)
    page.mouse.move(x + 3, y - up, steps=3)
    page.mouse.up()
    settled(page)
    assert position(knob) == pytest.approx(before + change, rel=1e-9)
    assert knob.get_attribute("aria-valuetext")
    line = SPECIMENS[name].line
    assert run_line(page) == pytest.approx(shown(page, line), rel=1e-12, abs=SPECIMENS[name].near(line))
    page.mouse.move(x, y - 3 * up)  # the button is up: nothing moves any more
    settled(page)
    assert position(knob) == pytest.approx(before + change, rel=1e-9)


@HANDLES
def test_dragging_by_touch_moves_the_handle_and_not_the_page(stage, name):
    for handle, up, change in SPECIMENS[name].drags:
        drag_by_touch(stage, name, handle, up, change)


def drag_by_touch(stage, name, handle, up, change):
    page = stage(SPECIMENS[name].settings[0], width=390, height=900, has_touch=True, is_mobile=True).page
    knob = page.get_by_role("slider", name=handle)
    knob.scroll_into_view_if_needed()
    box = knob.locator(".gpkl-hit").bounding_box()
    assert min(box["width"], box["height"]) >= 24
    before, (x, y), scrolled = position(knob), middle(knob), page.evaluate("scrollY")
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
        points = [{"x": x, "y": y - up * step / 6}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    settled(page)
    assert (position(knob) - before) * change > 0.5 * change**2
    assert page.evaluate("scrollY") == scrolled
    assert (stops, page.evaluate("stopped")) == ("none", True)  # one for each engine, either enough here


@HANDLES
def test_handles_by_keyboard(stage, name):
    for handle in {handle for handle, *_ in SPECIMENS[name].drags}:
        move_by_keyboard(stage, name, handle)


def move_by_keyboard(stage, name, handle):
    page = stage(SPECIMENS[name].settings[0]).page
    knob = page.get_by_role("slider", name=handle)
    knob.focus()
    start, seen = position(knob), {}
    for key in ("ArrowUp", "ArrowLeft", "PageUp", "Home", "End"):
        page.keyboard.press(key)
        settled(page)
        seen[key] = position(knob)
    assert seen["ArrowUp"] > start
    assert seen["ArrowLeft"] == pytest.approx(start)
    assert seen["PageUp"] > start
    assert seen["Home"] == float(knob.get_attribute("aria-valuemin")) < seen["End"]
    assert seen["End"] == float(knob.get_attribute("aria-valuemax"))
    specimen = SPECIMENS[name]
    assert run_line(page) == pytest.approx(shown(page, specimen.line), rel=1e-12, abs=specimen.near(specimen.line))


@EVERY
def test_the_native_slider_moves_the_picture_and_reset_brings_it_back(stage, name):
    specimen = SPECIMENS[name]
    page = stage(specimen.settings[0]).page
    keys = list(specimen.wanted(specimen.settings[0]))
    begin = {key: shown(page, key) for key in keys}
    line = page.locator(".gpkl-python code").inner_text()
    slider = page.get_by_label(specimen.slider)
    slider.focus()
    for _ in range(3):
        page.keyboard.press("PageUp" if float(slider.input_value()) < float(slider.get_attribute("max")) else "Home")
    settled(page)
    assert {key: shown(page, key) for key in keys} != begin
    assert page.locator(".gpkl-python code").inner_text() != line
    assert run_line(page) == pytest.approx(shown(page, specimen.line), rel=1e-12, abs=specimen.near(specimen.line))
    page.get_by_role("button", name="Reset").click()
    settled(page)
    assert {key: shown(page, key) for key in keys} == begin
    assert page.locator(".gpkl-python code").inner_text() == line


# From where it stands and from both ends: what an arrow leaves as it was.
STILL = """async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const still = [];
  for (const slider of document.querySelectorAll("input[type=range]")) {
    const shown = slider.labels[0];
    for (const [from, key] of [["value", "ArrowRight"], ["min", "ArrowRight"], ["max", "ArrowLeft"]]) {
      slider.value = slider[from];
      slider.dispatchEvent(new Event("input"));
      await frame();
      const before = shown.textContent;
      if (from === "value" && slider.value === slider.max) continue;
      slider.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
      await frame();
      if (shown.textContent === before) still.push([before, from, key]);
    }
  }
  return still;
}"""


def test_the_first_press_of_an_arrow_moves_what_is_shown(stage):
    page = stage(*settings(0)).page
    assert page.locator("input[type=range]").count() > len(SPECIMENS)
    assert page.evaluate(STILL) == []


def test_an_arrow_moves_a_slider_by_a_step_in_its_own_direction(stage):
    slider = stage(TwoViews(shift=1.0)).page.get_by_label("shift c of t")
    for key, value in (("ArrowRight", "1.1"), ("ArrowUp", "1.2"), ("ArrowLeft", "1.1"), ("ArrowDown", "1")):
        slider.press(key)
        assert slider.input_value() == value


# Two presses before the picture is drawn again, as fast fingers do.
THERE_AND_BACK = """(slider) => {
  for (const key of ["ArrowRight", "ArrowLeft"]) slider.dispatchEvent(new KeyboardEvent("keydown", { key }));
  return slider.value;
}"""


def test_two_arrows_within_a_frame_lead_back(stage):
    slider = stage(TwoViews(shift=1.0)).page.get_by_label("shift c of t")
    assert slider.evaluate(THERE_AND_BACK) == "1"


def test_copy_button_copies_the_line(stage):
    page = stage(TwoViews(), permissions=["clipboard-read", "clipboard-write"]).page
    page.get_by_role("button", name="Copy the line of Python").click()
    page.get_by_text("Copied", exact=True).first.wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator(".gpkl-python code").inner_text()


@EVERY
def test_every_control_is_reached_by_tab_and_shows_its_focus(stage, name):
    specimen = SPECIMENS[name]
    stops, page = specimen.stops, stage(specimen.settings[0]).page
    names = []
    for _ in range(stops):
        page.keyboard.press("Tab")
        label, mark, suppressed = page.evaluate(
            """() => {
              const one = document.activeElement, style = (node) => getComputedStyle(node);
              const ring = one.querySelector(".gpkl-focus"), drawn = one.type === "radio" ? one.nextSibling : one;
              return [one.getAttribute("aria-label") ?? one.labels?.[0]?.innerText ?? one.textContent,
                ring ? style(ring).stroke : style(drawn).outlineStyle === "solid" && style(drawn).outlineWidth,
                one.dataset.lmSuppressShortcuts];
            }"""
        )
        assert mark not in (None, False, "none", "0px"), label
        assert suppressed == "true", label
        names.append(label.split("\n")[0])
    assert len(set(names)) == stops
    assert names[0] == "Reset"
    assert names[-1] == "Copy the line of Python"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('gpkl-explorable')") is None


@pytest.mark.parametrize(("theme", "width"), [*itertools.product(["light", "dark"], [1280, 390])])
def test_axe_finds_nothing(stage, theme, width):
    visit = stage(*settings(1), QUIZ, NUMBER, theme=theme, width=width)
    visit.page.get_by_role("button", name="log 2").click()
    visit.page.get_by_role("button", name="1").last.click()
    visit.page.get_by_role("button", name="Check").click()
    visit.page.add_script_tag(content=axe())
    found = visit.page.evaluate("axe.run('main')")
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_of_text_and_graphics_in_plots(stage, theme):
    page = stage(*settings(1), theme=theme).page
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
    page = stage(*settings(0), *settings(0), QUIZ, NUMBER).page
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids)) > 2 * len(SPECIMENS)
