"""A page in a browser: what it asks for, says and throws while it is looked at."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
PATIENCE = 120_000  # milliseconds after which a page counts as one that hangs, on a machine busy with other things too
DRAWN = """async (patience) => {
  await (window.MathJax?.startup?.promise ?? null);
  const all = [...document.querySelectorAll('gpkl-explorable')];
  const until = performance.now() + patience;
  const waiting = (one) => !one.hasAttribute('ready') && !one.querySelector('.gpkl-failed');
  while (all.some(waiting) && performance.now() < until)
    await new Promise((done) => setTimeout(done, 20));
  await document.fonts.ready;
}"""


def axe() -> str:
    """The script that looks for what keeps people out."""
    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")


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
        self.page.evaluate(DRAWN, PATIENCE)


def visit(
    browser: Any, address: str, *, width: int = 1280, height: int = 900, scheme: str = "light", **options: Any
) -> Visit:
    """Open an address in a context of its own, to be closed by `visit.page.context.close()`."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
    context.set_default_timeout(PATIENCE)
    opened = Visit(context.new_page())
    opened.watch()
    opened.page.goto(address, wait_until="load")
    return opened


def find_chromium(own: str) -> str | None:
    """Return the path of a Chromium: Debian's, Chrome's, or Playwright's own."""
    found = [path for path in map(shutil.which, NAMES) if path]
    found += [str(path) for path in (MAC, Path(own)) if path.is_file()]
    return found[0] if found else None
