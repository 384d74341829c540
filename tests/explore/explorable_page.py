"""A bare page with explorables on it, opened from file:// with the book's own host, for the tests of explorables."""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpkl_lib.explore import Explorable, Quiz, css, esm

HOST = Path(__file__).parents[2] / "book" / "_ext" / "gpkl_book" / "static"
PAGE = """<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>Explorables</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>html[data-theme=light]
{{--pst-color-background:#fff;--pst-color-text-base:#222832}}html[data-theme=dark]{{--pst-color-background:#14181e;
--pst-color-text-base:#ced6dd;color-scheme:dark}}body{{margin:0 16px 40rem;font-family:sans-serif;
background:var(--pst-color-background);color:var(--pst-color-text-base)}}{style}</style></head><body><main>
<h1>Explorables</h1>{body}</main><script>window.gpklModules={modules};{host}</script></body></html>"""
QUIZ = Quiz("Which is *larger*?", choices=["0", "log 2", "1"], answer=2, explain="log 2 < 1.")
NUMBER = Quiz("log 2 in nats?", answer=math.log(2), tolerance=1e-3, explain="`math.log(2)`")


def put_on_page(
    open_page: Callable[..., Any], folder: Path, *widgets: Explorable, theme: str = "light", **options: Any
) -> Any:
    """Write a page with these widgets and open it; options are those of `open_page`."""
    style = css() + (HOST / "site.css").read_text("utf8")
    body = "".join(widget._repr_mimebundle_()[0]["text/html"] for widget in widgets)
    modules = json.dumps({widget.module: esm(widget.module) for widget in widgets}).replace("</", "<\\/")
    host = (HOST / "gpkl-host.js").read_text("utf8")
    path = folder / "page.html"
    path.write_text(PAGE.format(theme=theme, style=style, body=body, modules=modules, host=host), "utf8")
    return open_page(path.as_uri(), scheme=theme, **options)


def shown(part, key):
    """The number under this key, with all its digits."""
    return float(part.locator(f'data[data-key="{key}"]').get_attribute("value"))


def run_line(part):
    """What the line of Python under the picture prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(part.locator(".gpkl-python code").inner_text(), "line", "exec"), {})
    return float(out.getvalue())


def settled(page):
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
