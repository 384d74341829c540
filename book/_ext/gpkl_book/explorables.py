"""Explorables without a kernel: each page loads the host script and the modules that it shows, and no others.

A module's source travels as text inside a classic script: ``<script type="module" src>`` is refused from ``file://``,
and anywidget, the live host, imports modules from a Blob as well.
"""

import json
import re
from collections import Counter
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

from .assets import gather

log = logging.getLogger(__name__)
ELEMENT = re.compile(r'<gpkl-explorable(?=\b[^>]*\bmodule="([^"]*)")')
PLAIN_WIDGET = "application/vnd.jupyter.widget-view+json"


def module_script(name: str) -> str:
    """Return a classic script that hands the module's source to the host."""
    from gpkl_lib.explore import esm

    return f"(window.gpklModules ??= {{}})[{json.dumps(name)}] = {json.dumps(esm(name))};\n"


def write(app: Sphinx) -> None:
    """Write one script for each module, and the style sheet they share."""
    if app.builder.format != "html":
        return
    from gpkl_lib.explore import MODULES, css

    folder = gather(app) / "gpkl"
    folder.mkdir(exist_ok=True)
    (folder / "explore.css").write_text(css(), "utf-8")
    for name in MODULES:
        (folder / f"module-{name}.js").write_text(module_script(name), "utf-8")


def load(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Add the scripts that this page needs; refuse a widget that would be dead on it."""
    body = context.get("body") or ""
    if PLAIN_WIDGET in body:
        log.warning(
            "a plain ipywidget is shown, and would be dead without a kernel: show an explorable or a picture",
            location=pagename,
            type="gpkl",
            subtype="widget",
        )
    else:
        # myst-nb would put the state of every widget into the page though the page shows none of them
        scripts = app.env.nb_metadata.get(pagename, {}).get("js_files", {})
        for key in [key for key in scripts if key.startswith("ipywidgets_")]:
            del scripts[key]
    counts: Counter[str] = Counter()

    def named(element: re.Match[str]) -> str:
        """Give an element an id to link to: explore-two-views, and explore-two-views-2 for the second of a page."""
        module = element[1]
        counts[module] += 1
        serial = f"-{counts[module]}" if counts[module] > 1 else ""
        return f'{element[0]} id="explore-{module.replace("_", "-")}{serial}"'

    if body:
        context["body"] = ELEMENT.sub(named, body)
    modules = sorted(counts)
    if modules:
        app.add_css_file("gpkl/explore.css", priority=910)
        for name in modules:
            app.add_js_file(f"gpkl/module-{name}.js", loading_method="defer", priority=600)
        app.add_js_file("gpkl/gpkl-host.js", loading_method="defer", priority=610)


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("builder-inited", write)
    app.connect("html-page-context", load, priority=410)  # before myst-nb's 500
