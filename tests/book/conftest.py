"""The built site in a real browser: build once, serve on localhost, open pages, record what they ask for and say.

``open_page("book/index.html", width=390, scheme="dark")`` gives a `Visit`: the Playwright page with everything that it
wrote to the console, threw, failed to load, or asked of another host. Mark tests that use it with
``pytest.mark.browser``.

GPKL_REQUIRE_BROWSER=1 turns a skipped browser test into a failure; GPKL_SITE names a site built elsewhere, for drafts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "_ext"))

import build_book
import serve_book

ROOT = Path(__file__).parents[2]

NO_BROWSER = (
    "no Chromium found: install Debian's package chromium, or Chrome, or run `.venv/bin/playwright install chromium`"
)
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    # no name but this computer's resolves: what a page asks of others is recorded and fails
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
DRAWN = """async () => {
  await (window.MathJax?.startup?.promise ?? null);
  const all = [...document.querySelectorAll('gpkl-explorable')];
  const until = performance.now() + 15000;
  const waiting = (one) => !one.hasAttribute('ready') && !one.querySelector('.gpkl-failed');
  while (all.some(waiting) && performance.now() < until)
    await new Promise((done) => setTimeout(done, 20));
  await document.fonts.ready;
}"""


def table_of_contents() -> list[str]:
    """Return the book's pages in reading order, as paths inside the site."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))

    def files(entry: dict[str, Any]) -> list[str]:
        own = [entry["file"]] if "file" in entry else []
        inner = [*entry.get("chapters", []), *entry.get("sections", []), *entry.get("parts", [])]
        return own + [file for one in inner for file in files(one)]

    return [f"{file}.html" for file in [toc["root"], *files(toc)]]


PAGES = table_of_contents()
NOTEBOOKS = [
    page.removesuffix(".html")
    for page in PAGES
    if "\nkernelspec:" in (ROOT / page).with_suffix(".md").read_text("utf-8").partition("\n---\n")[0]
]


@dataclass
class Visit:
    """A page in the browser, and what came of opening it."""

    page: Any
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    third_party: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Record from now on."""
        self.page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("requestfailed", lambda request: self.failed.append(request.url))
        self.page.on("response", self._answered)
        self.page.on("request", lambda request: self._asked(request.url))

    def _asked(self, url: str) -> None:
        self.requests.append(url)
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            self.third_party.append(url)

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self.failed.append(f"{response.status} {response.url}")

    def settle(self) -> None:
        """Wait until formulas are set and explorables drawn."""
        self.page.evaluate(DRAWN)


@pytest.fixture(scope="session")
def site_dir() -> Path:
    """The built site, built now if it is not up to date."""
    if given := os.environ.get("GPKL_SITE"):
        return Path(given)
    try:
        build_book.build(quiet=True)
    except subprocess.CalledProcessError:
        log = build_book.LOG.read_text("utf-8", errors="replace").splitlines()
        pytest.fail("the book does not build:\n" + "\n".join(log[-60:]), pytrace=False)
    return build_book.SITE


@pytest.fixture(scope="session")
def site_url(site_dir: Path) -> Iterator[str]:
    """The site's address on a free port, without a slash at the end."""
    with serve_book.server(site_dir) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def find_chromium(own: str) -> str | None:
    """Return the path of a Chromium: Debian's, Chrome's, or Playwright's own."""
    found = [path for path in map(shutil.which, NAMES) if path]
    found += [str(path) for path in (MAC, Path(own)) if path.is_file()]
    return found[0] if found else None


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A running browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = find_chromium(playwright.chromium.executable_path)
        if path is None:
            pytest.skip(NO_BROWSER)
        as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, *as_root])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Visit]]:
    """A factory of visits: a path inside the site, or any address; closed when the test ends."""
    contexts = []

    def open_one(
        path: str, *, width: int = 1280, height: int = 900, scheme: str = "light", settle: bool = True, **options: Any
    ) -> Visit:
        address = path if "://" in path else f"{request.getfixturevalue('site_url')}/{path}"
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
        contexts.append(context)
        visit = Visit(context.new_page())
        visit.watch()
        visit.page.goto(address, wait_until="load")
        if settle and options.get("java_script_enabled", True):
            visit.settle()
        return visit

    yield open_one
    for context in contexts:
        context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Say in one line, for all tests together, that no browser is here; where one is required, let them fail."""
    report = yield
    if report.skipped and item.get_closest_marker("browser"):
        _, _, reason = report.longrepr
        if os.environ.get("GPKL_REQUIRE_BROWSER") == "1":
            report.outcome = "failed"
            report.longrepr = f"skipped, but GPKL_REQUIRE_BROWSER=1: {reason}"
        elif NO_BROWSER in reason:
            report.longrepr = ("tests/book", None, reason)
    return report
