"""A real browser for the tests marked `browser`.

``open_page("book/index.html", width=390, scheme="dark")`` gives a `Visit`: the Playwright page with everything that it
wrote to the console, threw, failed to load, or asked of another host.

GPKL_REQUIRE_BROWSER=1 turns a skipped browser test into a failure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser import NO_BROWSER, QUIET, Visit, find_chromium, visit


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
    visits = []

    def open_one(path: str, *, settle: bool = True, **options: Any) -> Visit:
        address = path if "://" in path else f"{request.getfixturevalue('site_url')}/{path}"
        visits.append(visit(chromium, address, **options))
        if settle and options.get("java_script_enabled", True):
            visits[-1].settle()
        return visits[-1]

    yield open_one
    for one in visits:
        one.page.context.close()


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
            report.longrepr = ("tests", None, reason)
    return report
