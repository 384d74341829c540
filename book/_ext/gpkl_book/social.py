"""Open Graph tags: what a link to a page shows where it is posted."""

import html
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from .assets import gather
from .paths import EXTENSION, digest

PICTURE = "gpkl/social.png"
ALT = "The maximum of x and 0 beside its smooth form, T log(exp(x/T) + 1), for three temperatures T"


def description(doctree: nodes.document, limit: int = 200) -> str:
    """Return the page's first sentences as plain text: its ``description`` where the front matter has one."""
    for field in doctree.findall(nodes.meta):
        if field.get("name") == "description":
            return str(field["content"])
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section):
            text = re.sub(r"\s+", " ", paragraph.astext()).strip()
            if len(text) > 40:
                return text if len(text) <= limit else text[: limit - 1].rsplit(" ", 1)[0] + "…"
    return ""


def add_tags(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Add the tags to the head; those that need an absolute address only where the site's is known."""
    if doctree is None:
        return
    text = description(doctree)
    tags = {
        "og:title": re.sub(r"<[^>]+>", "", html.unescape(context["title"])),
        "og:site_name": app.config.html_title,
        "og:type": "article",
        "og:description": text,
    }
    base = app.config.html_baseurl
    if base:
        tags["og:url"] = base + app.builder.get_target_uri(pagename)
        tags["og:image"] = f"{base}_static/{PICTURE}"
        tags["og:image:alt"] = ALT
        tags["og:image:width"], tags["og:image:height"] = "1200", "630"
    lines = [f'<meta property="{name}" content="{html.escape(value)}" />' for name, value in tags.items() if value]
    lines.append(f'<meta name="twitter:card" content="{"summary_large_image" if base else "summary"}" />')
    if text and 'name="description"' not in context.get("metatags", ""):
        lines.append(f'<meta name="description" content="{html.escape(text)}" />')
    context["metatags"] = context.get("metatags", "") + "\n" + "\n".join(lines) + "\n"


def draw(target: Path, title: str) -> None:
    """Draw the picture, 1200 by 630 pixels."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="#14181e")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.05, 0.08, 0.9, 0.62), facecolor="#14181e")
    x = np.linspace(-4, 4, 400)
    for temperature, colour in ((2.0, "#f0b429"), (1.0, "#6ea8fe"), (0.5, "#5fd0a8")):
        axes.plot(x, temperature * np.logaddexp(x / temperature, 0), color=colour, linewidth=5)
        axes.annotate(
            f"T = {temperature:g}",
            (0, temperature * np.log(2)),
            (-12, 8),
            textcoords="offset points",
            color=colour,
            fontsize=20,
            ha="right",
        )
    axes.plot(x, np.maximum(x, 0), color="#e6e6e6", linewidth=3, linestyle=(0, (4, 3)))
    axes.set(xlim=(-4, 4), ylim=(-0.25, 4.3))
    axes.axis("off")
    figure.text(0.05, 0.86, title, color="#ffffff", fontsize=38, weight="bold", va="center")
    figure.text(
        0.05, 0.765, "$T\\,\\log(e^{x/T} + 1)$ against $\\max(x, 0)$", color="#c9d1d9", fontsize=26, va="center"
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target)


def write(app: Sphinx) -> None:
    """Draw the picture anew when its code or the title has changed."""
    if app.builder.format != "html":
        return
    target = gather(app) / PICTURE
    stamp = Path(app.doctreedir) / "social.stamp"
    state = digest([EXTENSION / "social.py"]) + app.config.html_title
    if not (target.is_file() and stamp.is_file() and stamp.read_text("utf-8") == state):
        draw(target, app.config.html_title)
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(state, "utf-8")


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("builder-inited", write)
    app.connect("html-page-context", add_tags)
