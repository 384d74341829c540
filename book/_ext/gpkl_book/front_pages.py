"""The two pages that are no chapter: ``404.html``, which a host serves at any depth below any missing address and which
therefore needs no assets, and ``index.html``, which leads from the site's root to the first page."""

import html
import re
from pathlib import Path
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
    words = {
        "TITLE": html.escape(app.config.html_title),
        "HOME": html.escape(base),
        "PAGES": "\n".join(links),
    }
    for key, value in words.items():
        page = page.replace(f"@{key}@", value)
    (Path(app.outdir) / "404.html").write_text(page, "utf-8")


def write_front_door(app: Sphinx, exception: Exception | None) -> None:
    """Write ``index.html`` with the head of the first page, for those who see only the head, and a way to that page."""
    if exception is not None or app.builder.format != "html":
        return
    start = app.builder.get_target_uri(app.config.root_doc)
    head = (Path(app.outdir) / start).read_text("utf-8").partition("</head>")[0]
    told = re.findall(r'<meta (?:property="og:|name="(?:description|twitter:))[^>]*>', head)
    target = html.escape(start)
    lines = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f"<title>{html.escape(app.config.html_title)}</title>",
        f'<meta http-equiv="refresh" content="0; url={target}">',
        *told,
        f'</head>\n<body>\n<p><a href="{target}">{html.escape(app.config.html_title)}</a></p>\n</body>\n</html>\n',
    ]
    (Path(app.outdir) / "index.html").write_text("\n".join(lines), "utf-8")


def pages(app: Sphinx) -> list[str]:
    """The book's pages in reading order."""
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
    app.connect("build-finished", write_front_door)
