"""One visit of a page in both colours and at both widths, for all tests that only look at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from browser import Visit, axe

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
LOOKS = ((1280, "light"), (390, "light"), (390, "dark"), (1280, "dark"))
# axe takes most of the time: it sees each page in both colours and at both widths, and page after page the other two.
SEEN_BY_AXE = (LOOKS[0::2], LOOKS[1::2])

# Of tokens of code that look alike one stays an element and the rest becomes text: axe looks at the contrast of each.
SAME_TOKENS_ONCE = """() => {
  const seen = new Set(), clear = "rgba(0, 0, 0, 0)";
  const paper = (one) => {
    while (one.parentElement && getComputedStyle(one).backgroundColor === clear) one = one.parentElement;
    return getComputedStyle(one).backgroundColor;
  };
  const again = [];
  for (const pre of document.querySelectorAll("article pre")) {
    const under = paper(pre);
    for (const token of pre.querySelectorAll("span")) {
      if (token.childElementCount) continue;
      const { color, backgroundColor, fontSize, fontWeight } = getComputedStyle(token);
      const looks = [token.className, color, backgroundColor, fontSize, fontWeight, under].join();
      if (seen.has(looks)) again.push(token);
      seen.add(looks);
    }
  }
  for (const token of again) token.replaceWith(token.textContent);
}"""
# MathJax's markup is the same in every colour and width: looked at whole once, then by a few formulas.
FEW_FORMULAS = "[...document.querySelectorAll('article mjx-container')].slice(6).forEach((one) => one.remove())"
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
# The theme waits 300 ms before it gives what now scrolls a tab stop. On the page's own clock, which a busy machine
# slows for both, a longer time ends later.
AFTER_THE_THEME = "() => new Promise((done) => setTimeout(done, 400))"
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Steps of a derivation may scroll in their own box; the formulas of the text, which the argument needs, may not.
CUT_FORMULAS = """[...document.querySelectorAll('div.math mjx-container')]
  .filter((one) => !one.closest('.gpkl-derivation') && one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.parentElement.id || one.textContent.trim().slice(0, 80))"""

# What hinders the reading of tables: neighbours less than 12 px apart, an interval on two lines, figures of unequal
# width, a column of numbers (and of numbers with intervals) whose points are not one below another.
CROWDED = r"""() => {
  const NUMBER = /^[+\-−]?\d[\d,]*(?:\.\d+)?(?: ?%| [\[(][^\])]+[\])])?$/;
  const found = [], ink = document.createRange();
  const boxes = (cell) => {
    ink.selectNodeContents(cell);
    return [...ink.getClientRects()].filter((box) => box.width > 0);
  };
  const point = (cell) => {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const whole = /^\s*[+\-−]?[\d,]+/.exec(texts.currentNode.data);
      if (!whole) continue;
      ink.setStart(texts.currentNode, whole[0].length - 1);
      ink.setEnd(texts.currentNode, whole[0].length);
      return ink.getBoundingClientRect().right;
    }
  };
  for (const table of document.querySelectorAll("article table")) {
    if (!boxes(table).length) continue;
    if (!getComputedStyle(table).fontVariantNumeric.includes("tabular-nums")) found.push("no tabular figures");
    const columns = [];
    for (const row of table.rows) {
      let last = null;
      [...row.cells].forEach((cell, k) => {
        const own = boxes(cell), text = cell.textContent.trim();
        const left = Math.min(...own.map((box) => box.left)), right = Math.max(...own.map((box) => box.right));
        const { top, bottom } = cell.getBoundingClientRect();
        const beside = last && top < last.bottom; // on a phone a row may stand as a stack
        const gap = beside ? left - last.right : Infinity;
        if (gap < 12) found.push(`${gap.toFixed(1)} px: ${last.text} | ${text}`);
        if (own.length) last = { right, bottom, text };
        const broken = own.some((box) => own.some((other) => other.top >= box.bottom - 2));
        if (NUMBER.test(text) && broken) found.push(`on two lines: ${text}`);
        if (row.rowIndex) (columns[k] ??= []).push([text, cell]);
      });
    }
    for (const column of columns) {
      const some = column.filter(([text]) => text);
      if (!some.every(([text]) => NUMBER.test(text))) continue;
      const places = some.map(([, cell]) => point(cell));
      const apart = Math.max(...places) - Math.min(...places);
      if (apart > 1.5) found.push(`points ${apart.toFixed(1)} px apart: ${some.map(([text]) => text)}`);
    }
  }
  return found;
}"""
# Boxes of text that stay light in the dark.
LIGHT = """() => [...document.querySelectorAll("article *")].filter((one) => {
  if (one.closest(".gpkl, svg, img") || one.offsetWidth < 30 || one.offsetHeight < 12) return false;
  const [r, g, b, alpha = 1] = getComputedStyle(one).backgroundColor.match(/[\\d.]+/g).map(Number);
  return alpha > 0.5 && 0.2126 * r + 0.7152 * g + 0.0722 * b > 128;
}).map((one) => `${one.tagName} ${one.className}: ${one.textContent.trim().slice(0, 60)}`)"""


@dataclass(frozen=True)
class Look:
    """A page at one width and in one colour.

    Args:
        theme: the colour that the page says it has.
        broken: figures and formulas that were not drawn.
        too_wide: pixels that it is wider than the window.
        crowded: what hinders the reading of tables.
        light: boxes that do not follow the dark.
        violations: what axe finds against WCAG 2.x A and AA inside the article, at rest; None where it did not look.
    """

    theme: str
    broken: int
    too_wide: int
    crowded: list[str]
    light: list[str]
    violations: list[str] | None


@dataclass
class Sight:
    """All that there was to see.

    Args:
        visit: what the page asked for and said, to the end; the page itself is closed.
        requests: what it asked for before anything was done with it.
        menu: the sign on the button of the menu.
        cut: the formulas of the text that are wider than a phone.
        looks: by width and colour.
    """

    visit: Visit
    requests: list[str]
    menu: str
    cut: list[str]
    looks: dict[tuple[int, str], Look] = field(default_factory=dict)


def see(visit: Visit) -> Sight:
    """Look at a page that was opened at the first of `LOOKS`, with everything unfolded, and close it."""
    page = visit.page
    visit.settle()
    page.wait_for_load_state("networkidle")
    menu = page.locator(".primary-toggle span").evaluate("(one) => getComputedStyle(one, '::before').content")
    sight = Sight(visit, list(visit.requests), menu.strip('"'), [])
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    page.evaluate(SAME_TOKENS_ONCE)
    page.evaluate(axe())
    seen_by_axe = SEEN_BY_AXE[len(page.url) % 2]
    for width, scheme in LOOKS:
        if sight.looks:
            dress(page, width, scheme)
        too_wide = page.evaluate(TOO_WIDE)
        crowded = page.evaluate(CROWDED)
        if (width, scheme) == (390, "light"):
            sight.cut = page.evaluate(CUT_FORMULAS)
            page.evaluate(FEW_FORMULAS)
            page.evaluate(TWO_FRAMES)
        theme = page.evaluate("document.documentElement.dataset.theme")
        broken = page.locator(".gpkl-failed, mjx-merror").count()
        against = violations(page) if (width, scheme) in seen_by_axe else None
        light = page.evaluate(LIGHT) if scheme == "dark" else []
        sight.looks[width, scheme] = Look(theme, broken, too_wide, crowded, light, against)
    page.context.close()
    return sight


def violations(page: Any) -> list[str]:
    """What axe finds, whose script must be in the page."""
    page.evaluate("document.getAnimations().forEach((one) => one.finish())")
    options = {"runOnly": {"type": "tag", "values": WCAG}, "resultTypes": ["violations"], "preload": False}
    found = page.evaluate("(options) => axe.run('article', options).then((got) => got.violations)", options)
    return [f"{one['id']} at {node['target']}: {node['failureSummary']}" for one in found for node in one["nodes"]]


def dress(page: Any, width: int, scheme: str) -> None:
    """Another width, other colours, as a reader who turns a tablet or waits for the night."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.evaluate(TWO_FRAMES)
    page.evaluate(AFTER_THE_THEME)
