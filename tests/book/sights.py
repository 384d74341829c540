"""One visit of a page in both colours and at both widths, for all tests that only look at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from browser import Visit, axe

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
LOOKS = ((1280, "light"), (390, "light"), (390, "dark"), (1280, "dark"))

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


@dataclass(frozen=True)
class Look:
    """A page at one width and in one colour.

    Args:
        theme: the colour that the page says it has.
        broken: figures and formulas that were not drawn.
        too_wide: pixels that it is wider than the window.
        violations: what axe finds against WCAG 2.x A and AA inside the article, at rest.
    """

    theme: str
    broken: int
    too_wide: int
    violations: list[str]


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
    for width, scheme in LOOKS:
        if sight.looks:
            dress(page, width, scheme)
        too_wide = page.evaluate(TOO_WIDE)
        if (width, scheme) == (390, "light"):
            sight.cut = page.evaluate(CUT_FORMULAS)
            page.evaluate(FEW_FORMULAS)
            page.evaluate(TWO_FRAMES)
        theme = page.evaluate("document.documentElement.dataset.theme")
        broken = page.locator(".gpkl-failed, mjx-merror").count()
        sight.looks[width, scheme] = Look(theme, broken, too_wide, violations(page))
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
