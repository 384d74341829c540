"""Every page of the built site: what it asks for, says, weighs and shows, in a browser and in its source."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import axe_playwright_python
import pytest
from browser import Visit
from pages import PAGES, ROOT

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
FIRST_LOAD = 1_350_000  # bytes, every body gzipped -6
OTHERS = ["search.html", "genindex.html", "404.html"]
browser = pytest.mark.browser


class Elements(HTMLParser):
    """All start tags of a page as (tag, attributes)."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {key: value or "" for key, value in attrs}))

    def ids(self) -> set[str]:
        return {attributes["id"] for _, attributes in self.found if "id" in attributes}

    def meta(self) -> dict[str, str]:
        tags = [attributes for tag, attributes in self.found if tag == "meta"]
        return {one.get("property") or one.get("name", ""): one.get("content", "") for one in tags}


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
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Steps of a derivation may scroll in their own box; the formulas of the text, which the argument needs, may not.
CUT_FORMULAS = """[...document.querySelectorAll('div.math mjx-container')]
  .filter((one) => !one.closest('.gpkl-derivation') && one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.parentElement.id || one.textContent.trim().slice(0, 80))"""


def violations(page: Any) -> list[str]:
    """What axe finds against WCAG 2.x A and AA inside the article, at rest; its script must be in the page."""
    page.evaluate("document.getAnimations().forEach((one) => one.finish())")
    options = {"runOnly": {"type": "tag", "values": WCAG}, "resultTypes": ["violations"], "preload": False}
    found = page.evaluate("(options) => axe.run('article', options).then((got) => got.violations)", options)
    return [f"{one['id']} at {node['target']}: {node['failureSummary']}" for one in found for node in one["nodes"]]


def dress(page: Any, width: int, scheme: str) -> None:
    """Another width, other colours, as a reader who turns a tablet or waits for the night."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.evaluate(TWO_FRAMES)
    page.wait_for_timeout(400)  # the theme waits 300 ms before it gives what now scrolls a tab stop


def is_quiet(visit: Visit, scheme: str) -> bool:
    """Nothing asked of others, failed, thrown or said; the wanted colours; every figure and formula drawn."""
    assert (visit.third_party, visit.failed, visit.errors, visit.console) == ([], [], [], [])
    assert visit.page.evaluate("document.documentElement.dataset.theme") == scheme
    assert visit.page.locator(".gpkl-failed").count() == 0
    return visit.page.locator("mjx-merror").count() == 0


@browser
@pytest.mark.parametrize("path", PAGES)
def test_page_is_quiet_fits_and_is_accessible(open_page: Callable[..., Visit], path: str) -> None:
    """One visit in both colours and at both widths, everything unfolded."""
    visit = open_page(path)
    page = visit.page
    assert is_quiet(visit, "light")
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    page.evaluate(SAME_TOKENS_ONCE)
    page.evaluate(AXE.read_text("utf-8"))
    assert page.evaluate(TOO_WIDE) <= 0, "scrolls sideways at 1280"
    assert violations(page) == []
    dress(page, 390, "light")
    assert page.evaluate(TOO_WIDE) <= 0, "scrolls sideways at 390"
    assert page.evaluate(CUT_FORMULAS) == []
    page.evaluate(FEW_FORMULAS)
    for width, scheme in ((390, "light"), (390, "dark"), (1280, "dark")):
        dress(page, width, scheme)
        assert is_quiet(visit, scheme)
        assert violations(page) == [], (width, scheme)


@browser
@pytest.mark.parametrize("path", PAGES[:2])
def test_page_opens_in_the_dark_on_a_phone(open_page: Callable[..., Visit], path: str) -> None:
    visit = open_page(path, width=390, scheme="dark")
    assert is_quiet(visit, "dark")
    assert visit.page.evaluate(TOO_WIDE) <= 0, "scrolls sideways"


@browser
@pytest.mark.parametrize("path", [*PAGES, "404.html"])
def test_page_lives_from_a_folder_and_on_paper(open_page: Callable[..., Visit], site_dir: Path, path: str) -> None:
    visit = open_page((site_dir / path).as_uri())
    page = visit.page
    assert (visit.third_party, visit.failed, visit.errors, visit.console) == ([], [], [], [])
    assert page.locator("gpkl-explorable:not([ready])").count() == 0
    assert page.locator("span.math, div.math").count() == page.locator(".math mjx-container").count()
    explorables = page.locator("gpkl-explorable").all()
    for one in explorables:
        assert one.locator(".gpkl-live").is_visible()
        assert one.locator(".gpkl-still").is_hidden()
    page.emulate_media(media="print")
    for one in explorables:
        assert one.locator(".gpkl-live").is_hidden()
        assert one.locator(".gpkl-still").is_visible()
        box = one.locator(".gpkl-still").bounding_box()
        assert box is not None
        assert box["height"] > 40
    for control in ("#pst-primary-sidebar", "#pst-secondary-sidebar", ".bd-header-article", ".prev-next-footer"):
        assert page.locator(control).count() <= 1
        assert page.locator(control).first.is_hidden(), control
    assert page.locator("article h1, #jb-print-docs-body h1").first.is_visible()


@browser
@pytest.mark.parametrize("path", PAGES)
def test_first_load_is_light(open_page: Callable[..., Visit], site_dir: Path, site_url: str, path: str) -> None:
    visit = open_page(path)
    visit.page.wait_for_load_state("networkidle")
    asked = {urlsplit(url).path.lstrip("/") for url in visit.requests if url.startswith(site_url)}
    bodies = {name: len(gzip.compress((site_dir / unquote(name)).read_bytes(), 6)) for name in asked}
    heaviest = sorted(bodies.items(), key=lambda one: -one[1])[:5]
    assert {Path(name).suffix for name in bodies} >= {".html", ".css", ".js"}
    assert sum(bodies.values()) <= FIRST_LOAD, f"{sum(bodies.values())} bytes, most of them {heaviest}"


@browser
def test_dark_screen_prints_light(open_page: Callable[..., Visit]) -> None:
    page = open_page(PAGES[0], scheme="dark").page
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@browser
@pytest.mark.parametrize("path", PAGES)
def test_without_javascript_the_stills_stand(open_page: Callable[..., Visit], path: str) -> None:
    page = open_page(path, java_script_enabled=False).page
    stills = page.locator("gpkl-explorable > .gpkl-still")
    assert stills.count() == page.locator("gpkl-explorable").count()
    assert all(still.is_visible() for still in stills.all())


@browser
def test_icons_need_no_font_of_the_theme(open_page: Callable[..., Visit]) -> None:
    visit = open_page(PAGES[1])
    assert not [url for url in visit.requests if "fontawesome" in url]
    bars = visit.page.locator(".primary-toggle span").evaluate("(one) => getComputedStyle(one, '::before').content")
    assert bars.strip('"') == "\uf0c9"


@browser
def test_missing_address_gives_the_404_page(open_page: Callable[..., Visit]) -> None:
    visit = open_page("no/such/page.html", settle=False)
    assert visit.page.locator("h1").inner_text() == "Page not found"
    visit.page.get_by_role("link", name="To the start of the book").click()
    visit.page.wait_for_url("**/book/index.html")
    assert visit.page.locator("article h1").count() == 1


def test_internal_links_resolve(site_dir: Path) -> None:
    pages = {path: Elements(site_dir / path) for path in [*PAGES, *OTHERS, "index.html"]}
    broken = []
    for path, elements in pages.items():
        for tag, attributes in elements.found:
            for url in filter(None, (attributes.get("href"), attributes.get("src"))):
                parts = urlsplit(urljoin(f"http://site/{path}", url))
                if parts.netloc != "site" or parts.scheme != "http":
                    continue
                target = unquote(parts.path).strip("/") or "index.html"
                if not (site_dir / target).is_file():
                    broken.append(f"{path}: <{tag}> {url}: no such file")
                elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids():
                    broken.append(f"{path}: <{tag}> {url}: no such anchor")
    assert broken == []


@pytest.mark.parametrize("path", PAGES)
def test_pictures_are_described(site_dir: Path, path: str) -> None:
    source = (site_dir / path).read_text("utf-8")
    article = source[source.index("<article") : source.index("</article>")]
    pictures = re.findall(r"<img\b[^>]*>", article)
    for picture in pictures:
        alt = re.search(r'\balt="([^"]*)"', picture)
        assert alt, picture
        words = alt[1].strip()
        assert not re.search(r"^(\.\./)*_images/|\.(png|svg|jpe?g)$", words), picture
        assert len(words) > 20, f"says too little: {picture}"
    for drawing in re.findall(r"<svg\b[^>]*>(?:\s*<title\b[^>]*>[^<]+</title>)?", article):
        assert re.search(r'aria-hidden="true"|aria-label(ledby)?="[^"]+"|<title', drawing), drawing


@pytest.mark.parametrize("path", PAGES)
def test_head_says_what_the_page_is(site_dir: Path, path: str) -> None:
    elements = Elements(site_dir / path)
    meta = elements.meta()
    assert len(meta["og:title"]) > 3
    assert 40 < len(meta["og:description"]) <= 200
    assert meta["description"] == meta["og:description"]
    icons = [one["href"] for tag, one in elements.found if tag == "link" and "icon" in one.get("rel", "").split()]
    assert len(icons) == 1
    assert (site_dir / path).parent.joinpath(icons[0]).resolve().read_text("utf-8").startswith("<svg")


def outputs(site_dir: Path) -> list[tuple[str, Any]]:
    """Every output of the executed notebooks as (notebook, output)."""
    import nbformat

    executed = sorted(site_dir.parent.joinpath("jupyter_execute").rglob("*.ipynb"))
    assert executed
    return [
        (path.name, output)
        for path in executed
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", [])
    ]


def test_nothing_is_left_of_what_the_build_reported(site_dir: Path) -> None:
    """Standard error is removed from pages; here it may not have been there at all."""
    written = [f"{name}: {one.text}" for name, one in outputs(site_dir) if one.get("name") == "stderr"]
    assert written == []


def test_no_output_is_the_mere_name_of_an_object(site_dir: Path) -> None:
    """ "<torch._C.Generator at 0x7f...>" tells a reader nothing, and another thing at each build."""
    texts = [
        (name, text)
        for name, one in outputs(site_dir)
        for text in (one.get("text", ""), one.get("data", {}).get("text/plain", ""))
    ]
    assert len(texts) > 50
    assert [pair for pair in texts if re.search(r"\b0x[0-9a-f]{6,}", pair[1])] == []


def test_repository_address_stands_in_one_place() -> None:
    address = os.environ.get("GPKL_REPOSITORY_URL") or _configured_address()
    pattern = re.compile(re.escape(address) if address else r"github\.com/[\w-]+/(gpkl[\w-]*|GITHUB_REPOSITORY)\b")
    kinds = {".py", ".md", ".toml", ".yml", ".cff", ".txt", ".html", ".js", ".css", ""}
    tracked = [path for path in ROOT.rglob("*") if path.is_file() and path.suffix in kinds]
    skipped = {".git", ".venv", "_build", "runs", "build", "dist", "__pycache__", "gpkl_lib.egg-info"}
    holding = [
        str(path.relative_to(ROOT))
        for path in tracked
        if not skipped & set(path.relative_to(ROOT).parts)
        and path != Path(__file__)
        and pattern.search(path.read_text("utf-8", errors="ignore"))
    ]
    assert holding in ([], ["_config.yml"])


def _configured_address() -> str:
    return re.search(r'^  url: "?([^"\n]*)"?$', (ROOT / "_config.yml").read_text("utf-8"), re.M)[1]  # type: ignore[index]
