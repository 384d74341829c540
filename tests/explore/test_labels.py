"""No text of an explorable lies over another, wherever its controls stand."""

import pytest
from explorable_page import settled
from specimen import SPECIMENS, settings

pytestmark = [pytest.mark.browser, pytest.mark.fonts]
OVER_ANOTHER = """() => {
  const found = [];
  for (const live of document.querySelectorAll(".gpkl-live")) {
    const boxes = [], texts = document.createTreeWalker(live, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const node = texts.currentNode, one = node.parentElement;
      if (!node.data.trim() || one.closest(".gpkl-status, option, style")) continue;
      if (getComputedStyle(one).visibility !== "visible") continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const cut = one.closest("svg[style*=hidden]")?.getBoundingClientRect();
      for (const { left, right, top, bottom } of range.getClientRects()) {
        if (cut && !(top < cut.bottom - 3 && bottom > cut.top + 3 && left < cut.right && right > cut.left)) continue;
        const air = 0.22 * (bottom - top); // above and below the letters themselves
        const of = one.closest("text") ?? one;
        boxes.push({ left, right, top: top + air, bottom: bottom - air, text: node.data, of });
      }
    }
    boxes.forEach((a, i) => {
      for (const b of boxes.slice(i + 1)) {
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (a.of !== b.of && across > 1 && down > 0.5)
          found.push([live.parentElement.getAttribute("module"), a.text, b.text]);
      }
    });
  }
  return found;
}"""
# One place after another for every explorable at once: each entry of its menus, both ends of what can be moved.
PLACES = """() => {
  const say = (one, event) => one.dispatchEvent(event);
  window.places = [...document.querySelectorAll(".gpkl-live")].map((live) => [
    ...[...live.querySelectorAll("select")].flatMap((one) => [...one.options].map(({ value }) => () => {
      one.value = value;
      say(one, new Event("change"));
    })),
    ...[...live.querySelectorAll("input[type=radio]")].map((one) => () => one.click()),
    ...[...live.querySelectorAll("input[type=range]")].flatMap((one) => ["min", "max"].map((end) => () => {
      one.value = one[end];
      say(one, new Event("input"));
    })),
    ...[...live.querySelectorAll(".gpkl-handle")].flatMap((one) => ["Home", "End"].map((key) => () =>
      say(one, new KeyboardEvent("keydown", { key })))),
  ]);
  return Math.max(...places.map((those) => those.length));
}"""
GO = """(n) => {
  for (const button of document.querySelectorAll(".gpkl-head button")) button.click();
  for (const those of places) those[n]?.();
}"""


def over_another(page, widths):
    found = {}
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        settled(page)
        for name, one, other in page.evaluate(OVER_ANOTHER):
            found.setdefault((name, width), []).append((one, other))
    return found


@pytest.mark.parametrize("index", range(max(len(specimen.settings) for specimen in SPECIMENS.values())))
def test_no_text_lies_over_another_at_any_setting(stage, index):
    shown = [one.settings[index] for one in SPECIMENS.values() if index < len(one.settings)]
    assert over_another(stage(*shown).page, (320, 390, 1280)) == {}


def test_no_text_lies_over_another_wherever_the_controls_stand(stage):
    page, found = stage(*settings(0)).page, {}
    many = page.evaluate(PLACES)
    assert many > 3
    for n in range(many):
        page.evaluate(GO, n)
        found |= {(*where, n): texts for where, texts in over_another(page, (320, 1280)).items()}
    assert found == {}
