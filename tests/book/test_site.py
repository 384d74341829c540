"""Every page of the built site: what it asks for, says, weighs and shows, in a browser and in its source."""

from __future__ import annotations

import functools
import gzip
import json
import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from browser import Visit, visit
from pages import PAGES, ROOT, teaching_chapters
from sights import LOOKS, SEEN_BY_AXE, TOO_WIDE, TWO_FRAMES, Sight, see

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


@functools.cache
def elements_of(page: Path) -> Elements:
    """Its elements, read once for all tests."""
    return Elements(page)


@pytest.fixture(scope="session", params=PAGES)
def sight(request: pytest.FixtureRequest, chromium: Any, site_url: str) -> Sight:
    """A page, visited once: pytest brings together the tests that look at the same one."""
    return see(visit(chromium, f"{site_url}/{request.param}"))


@browser
def test_page_is_quiet_and_drawn_in_the_wanted_colours(sight: Sight) -> None:
    visit = sight.visit
    assert (visit.third_party, visit.failed, visit.errors, visit.console) == ([], [], [], [])
    assert {where: (look.theme, look.broken) for where, look in sight.looks.items()} == {
        (width, scheme): (scheme, 0) for width, scheme in LOOKS
    }


@browser
def test_page_fits(sight: Sight) -> None:
    assert {where: look.too_wide for where, look in sight.looks.items() if look.too_wide > 0} == {}
    assert len(sight.looks) == len(LOOKS)
    assert sight.cut == []


@browser
def test_tables_can_be_read(sight: Sight) -> None:
    assert {where: look.crowded for where, look in sight.looks.items()} == {where: [] for where in LOOKS}


@browser
def test_nothing_stays_light_in_the_dark(sight: Sight) -> None:
    assert {where: look.light for where, look in sight.looks.items()} == {where: [] for where in LOOKS}


@browser
def test_page_is_accessible(sight: Sight) -> None:
    seen = {where: look.violations for where, look in sight.looks.items() if look.violations is not None}
    assert seen in [{where: [] for where in looks} for looks in SEEN_BY_AXE]


@browser
def test_first_load_is_light(sight: Sight, site_dir: Path, site_url: str) -> None:
    asked = {urlsplit(url).path.lstrip("/") for url in sight.requests if url.startswith(site_url)}
    bodies = {name: len(gzip.compress((site_dir / unquote(name)).read_bytes(), 6)) for name in asked}
    heaviest = sorted(bodies.items(), key=lambda one: -one[1])[:5]
    assert {Path(name).suffix for name in bodies} >= {".html", ".css", ".js"}
    assert sum(bodies.values()) <= FIRST_LOAD, f"{sum(bodies.values())} bytes, most of them {heaviest}"


@browser
def test_icons_need_no_font_of_the_theme(sight: Sight) -> None:
    assert not [url for url in sight.requests if "fontawesome" in url]
    assert sight.menu == "\uf0c9"


@browser
@pytest.mark.parametrize("path", PAGES[:2])
def test_page_opens_in_the_dark_on_a_phone(open_page: Callable[..., Visit], path: str) -> None:
    visit = open_page(path, width=390, scheme="dark")
    assert (visit.third_party, visit.failed, visit.errors, visit.console) == ([], [], [], [])
    assert visit.page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert visit.page.locator(".gpkl-failed, mjx-merror").count() == 0
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
@pytest.mark.fonts
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
def test_the_first_screen_says_what_was_found_and_plays(
    open_page: Callable[..., Visit], width: int, height: int
) -> None:
    page = open_page(PAGES[0], width=width, height=height).page
    for said in ("Found:", "two readings that nobody asks to agree", "Bring", "Time:", "Predict:"):
        box = page.locator("article p").get_by_text(said).first.bounding_box()
        assert box is not None
        assert 0 < box["y"] + box["height"] < height, said
    x, y = page.evaluate(
        """() => {
          const box = document.querySelector(".gpkl-sb-word").getBoundingClientRect();
          return [box.left + box.width / 2, box.bottom - 2];
        }"""
    )
    assert y < height
    page.mouse.click(x, y)
    page.locator(".gpkl-sb-on", has_text="Fenden").first.wait_for()  # drawn a frame later: before, another word is on
    assert page.locator(".gpkl-sb-on").all_inner_texts()[0].startswith("Fenden")


def unanchored(route: Any) -> None:
    """The page as WebKit has it, which does not hold its place while something above grows."""
    style = "<style>* { overflow-anchor: none }</style></head>"
    answer = route.fetch()
    route.fulfill(response=answer, body=answer.text().replace("</head>", style, 1))


@browser
@pytest.mark.parametrize("place", ["globalpointer-kl.html#the-last-digits", "symmetric-kl.html#exercises"])
def test_a_link_lands_where_it_points(open_page: Callable[..., Visit], site_url: str, place: str) -> None:
    visit = open_page("404.html")
    page, top = visit.page, "document.querySelector(':target').getBoundingClientRect().top"
    page.route("**/divergence/*.html", unanchored)
    page.goto(f"{site_url}/book/divergence/{place}")
    visit.settle()
    page.evaluate(TWO_FRAMES)
    assert 0 < page.evaluate(top) < 100
    page.keyboard.press("Home")  # the reader goes elsewhere, and is let go
    page.wait_for_function("scrollY < 100")
    page.set_viewport_size({"width": 700, "height": 900})
    page.evaluate(TWO_FRAMES)
    assert page.evaluate(top) > 1000


@browser
@pytest.mark.parametrize("path", ["search.html", PAGES[0]])
def test_the_first_letter_of_a_search_is_seen(open_page: Callable[..., Visit], path: str) -> None:
    page = open_page(path).page
    if path == PAGES[0]:
        page.keyboard.press("Control+k")
    form = page.locator("form.bd-search:visible")
    room = form.evaluate(
        """(form) => {
          const input = form.querySelector("input"), icon = form.querySelector("i, svg").getBoundingClientRect();
          return input.getBoundingClientRect().left + parseFloat(getComputedStyle(input).paddingLeft) - icon.right;
        }"""
    )
    assert room >= 4


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
def test_missing_address_gives_the_404_page(open_page: Callable[..., Visit]) -> None:
    visit = open_page("no/such/page.html", settle=False)
    assert visit.page.locator("h1").inner_text() == "Page not found"
    visit.page.get_by_role("link", name="To the start of the book").click()
    visit.page.wait_for_url("**/book/index.html")
    assert visit.page.locator("article h1").count() == 1


def test_internal_links_resolve(site_dir: Path) -> None:
    pages = {path: elements_of(site_dir / path) for path in [*PAGES, *OTHERS, "index.html"]}
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


def test_explorables_can_be_linked_to(site_dir: Path) -> None:
    found = [one for path in PAGES for tag, one in elements_of(site_dir / path).found if tag == "gpkl-explorable"]
    assert len(found) > 20
    assert all(one["id"].startswith(f"explore-{one['module'].replace('_', '-')}") for one in found)


def test_bibliography_is_without_raw_tex(site_dir: Path) -> None:
    article = (site_dir / "book/reference/bibliography.html").read_text("utf-8").partition("<article")[2]
    text = re.sub(r"<[^>]+>", "", article.partition("</article>")[0])
    assert re.findall(r"[\\${}].{0,20}", text) == []
    assert text.count("(in Chinese)") == (ROOT / "book/references.bib").read_text("utf-8").count("(in {Chinese})") > 0
    assert "(in chinese)" not in text


@pytest.mark.parametrize("path", PAGES)
def test_what_a_cell_prints_stands_in_one_frame(site_dir: Path, path: str) -> None:
    """The kernel sends what a slow cell prints in pieces, others at each build."""
    html = (site_dir / path).read_text("utf-8")
    assert re.findall(r'</pre>\s*</div>\s*</div>\s*<div class="output stream[^>]*>', html) == []


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
    elements = elements_of(site_dir / path)
    meta = elements.meta()
    assert len(meta["og:title"]) > 3
    assert 40 < len(meta["og:description"]) <= 200
    assert meta["description"] == meta["og:description"]
    icons = [one["href"] for tag, one in elements.found if tag == "link" and "icon" in one.get("rel", "").split()]
    assert len(icons) == 1
    assert (site_dir / path).parent.joinpath(icons[0]).resolve().read_text("utf-8").startswith("<svg")


@pytest.mark.parametrize("path", teaching_chapters(), ids=lambda path: path.stem)
def test_a_link_to_a_chapter_shows_its_question(site_dir: Path, path: Path) -> None:
    question = re.search(r'^question: "(.*)"$', path.read_text("utf-8"), re.M)[1]  # type: ignore[index]
    page = site_dir / path.relative_to(ROOT).with_suffix(".html")
    assert elements_of(page).meta()["og:description"].startswith(f"{question} ")


@pytest.fixture(scope="module")
def outputs(site_dir: Path) -> list[tuple[str, Any]]:
    """Every output of the executed notebooks as (notebook, output)."""
    executed = sorted(site_dir.parent.joinpath("jupyter_execute").rglob("*.ipynb"))
    assert executed
    return [
        (path.name, output)
        for path in executed
        for cell in json.loads(path.read_text("utf-8"))["cells"]
        for output in cell.get("outputs", [])
    ]


def test_nothing_is_left_of_what_the_build_reported(outputs: list[tuple[str, Any]]) -> None:
    """Standard error is removed from pages; here it may not have been there at all."""
    written = [f"{name}: {''.join(one['text'])}" for name, one in outputs if one.get("name") == "stderr"]
    assert written == []


def test_no_output_is_the_mere_name_of_an_object(outputs: list[tuple[str, Any]]) -> None:
    """ "<torch._C.Generator at 0x7f...>" tells a reader nothing, and another thing at each build."""
    texts = [
        (name, "".join(text))
        for name, one in outputs
        for text in (one.get("text", ""), one.get("data", {}).get("text/plain", ""))
    ]
    assert len(texts) > 50
    assert [pair for pair in texts if re.search(r"\b0x[0-9a-f]{6,}", pair[1])] == []


def test_repository_address_stands_in_one_place() -> None:
    address = os.environ.get("GPKL_REPOSITORY_URL") or _configured_address()
    pattern = re.compile(re.escape(address) if address else r"github\.com/[\w-]+/(gpkl[\w-]*|GITHUB_REPOSITORY)\b")
    kinds = {".py", ".md", ".toml", ".yml", ".cff", ".txt", ".html", ".js", ".css", ""}
    skipped = {".git", ".venv", "_build", "runs", "build", "dist", "gpkl_lib.egg-info"}
    tracked = [
        path
        for top in ROOT.iterdir()
        if top.name not in skipped
        for path in (top.rglob("*") if top.is_dir() else [top])
        if path.is_file() and path.suffix in kinds and "__pycache__" not in path.parts
    ]
    assert len(tracked) > 200
    holding = [
        str(path.relative_to(ROOT))
        for path in tracked
        if path != Path(__file__) and pattern.search(path.read_text("utf-8", errors="ignore"))
    ]
    assert holding in ([], ["_config.yml"])


def _configured_address() -> str:
    return re.search(r'^  url: "?([^"\n]*)"?$', (ROOT / "_config.yml").read_text("utf-8"), re.M)[1]  # type: ignore[index]
