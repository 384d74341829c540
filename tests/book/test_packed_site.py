"""`make site.zip`: unpacked anywhere, the site opens by a double click and lacks nothing."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from browser import Visit

LINK = re.compile(r'(?:href|src)="(?!\w+:|//|#)([^"#?]+)')


@pytest.fixture(scope="module")
def unpacked(site_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an unpacked copy, far from the book."""
    from pack_site import pack

    folder = tmp_path_factory.mktemp("a folder with spaces, 汉字")
    pack(site_dir, folder / "site.zip")
    with zipfile.ZipFile(folder / "site.zip") as archive:
        assert archive.testzip() is None
        archive.extractall(folder)
    (top,) = (path for path in folder.iterdir() if path.is_dir())
    return top


def test_the_archive_is_a_function_of_the_site(site_dir: Path, tmp_path: Path) -> None:
    from pack_site import pack

    for name in ("one.zip", "two.zip"):
        pack(site_dir, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.zip", "two.zip"]


def test_every_file_that_a_page_names_is_in_it(unpacked: Path) -> None:
    pages = [unpacked / "index.html", unpacked / "search.html", *(unpacked / "book").rglob("*.html")]
    assert len(pages) > 20
    missing = {
        f"{page.relative_to(unpacked)}: {target}"
        for page in pages
        for target in LINK.findall(page.read_text("utf-8"))
        if not (page.parent / unquote(unescape(target))).exists()
    }
    assert missing == set()


@pytest.mark.browser
def test_it_opens_by_a_double_click(open_page: Callable[..., Visit], unpacked: Path) -> None:
    visit = open_page((unpacked / "index.html").as_uri(), settle=False)
    page = visit.page
    page.wait_for_url("**/book/index.html")
    page.locator("nav.bd-links a[href$='/globalpointer.html']").click()
    page.wait_for_url("**/globalpointer.html")
    visit.settle()
    assert page.locator("gpkl-explorable[ready]").count() > 0
    assert page.locator(".gpkl-failed").count() == 0
    assert page.locator("mjx-container").count() > 0
    assert page.locator("article h1").inner_text().startswith("GlobalPointer")
    assert (visit.failed, visit.errors, visit.third_party) == ([], [], [])
