"""The 404 page: one file without assets, since a host serves it at any depth below any missing address."""

import html
from typing import Any
from urllib.parse import urlsplit

from sphinx.application import Sphinx

from .paths import EXTENSION


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write ``404.html`` with links to all pages, absolute from the site's root."""
    if exception is not None or app.builder.format != "html":
        return
    base = urlsplit(app.config.html_baseurl).path or "/"
    links = [
        f'<li><a href="{html.escape(base + app.builder.get_target_uri(page))}">'
        f"{html.escape(app.env.titles[page].astext())}</a></li>"
        for page in pages(app)
    ]
    page = (EXTENSION / "templates" / "not-found.html").read_text("utf-8")
    words: dict[str, Any] = {
        "TITLE": html.escape(app.config.html_title),
        "HOME": html.escape(base),
        "PAGES": "\n".join(links),
    }
    for key, value in words.items():
        page = page.replace(f"@{key}@", value)
    (app.outdir / "404.html").write_text(page, "utf-8")


def pages(app: Sphinx) -> list[str]:
    """Return the book's pages in reading order."""
    root = app.config.root_doc
    ordered, stack = [], [root]
    while stack:
        page = stack.pop(0)
        ordered.append(page)
        stack = [*app.env.toctree_includes.get(page, []), *stack]
    return ordered


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("build-finished", write)
