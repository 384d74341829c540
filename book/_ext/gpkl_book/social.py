"""Open Graph tags and a card for each page: what a link to it shows where it is posted."""

import hashlib
import html
import re
import textwrap
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

CURVES = "The maximum of x and 0 beside its smooth form, T log(exp(x/T) + 1), for three temperatures T"


def description(doctree: nodes.document, question: str, limit: int = 200) -> str:
    """The page's question and first sentences as plain text: its ``description`` where the front matter has one."""
    for field in doctree.findall(nodes.meta):
        if field.get("name") == "description":
            return str(field["content"])
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section):
            text = re.sub(r"\s+", " ", paragraph.astext()).strip()
            if len(text) > 40:
                text = f"{question} {text}".lstrip()
                return text if len(text) <= limit else text[: limit - 1].rsplit(" ", 1)[0] + "…"
    return ""


def add_tags(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Add the tags to the head; those that need an absolute address only where the site's is known."""
    if doctree is None:
        return
    question = app.env.metadata[pagename].get("question", "")
    text, title = description(doctree, question), re.sub(r"<[^>]+>", "", html.unescape(context["title"]))
    tags = {
        "og:title": title,
        "og:site_name": app.config.html_title,
        "og:type": "article",
        "og:description": text,
    }
    base = app.config.html_baseurl
    if base:
        tags["og:url"] = base + app.builder.get_target_uri(pagename)
        tags["og:image"] = base + card(Path(app.outdir), title, question, app.config.html_title)
        tags["og:image:alt"] = f"{title}. {question} {CURVES}"
        tags["og:image:width"], tags["og:image:height"] = "1200", "630"
    lines = [f'<meta property="{name}" content="{html.escape(value)}" />' for name, value in tags.items() if value]
    lines.append(f'<meta name="twitter:card" content="{"summary_large_image" if base else "summary"}" />')
    if text and 'name="description"' not in context.get("metatags", ""):
        lines.append(f'<meta name="description" content="{html.escape(text)}" />')
    context["metatags"] = context.get("metatags", "") + "\n" + "\n".join(lines) + "\n"


def card(site: Path, title: str, question: str, book: str) -> str:
    """Draw the card of a page unless it is there; return its place on the site.

    The name holds a digest of all that the picture is made from, so that a card that has changed has another address
    and no site that keeps a copy shows the old one.
    """
    made_from = f"{Path(__file__).read_text('utf-8')}\0{title}\0{question}\0{book}"
    place = f"_static/gpkl/card-{hashlib.sha256(made_from.encode()).hexdigest()[:16]}.png"
    if not (site / place).is_file():
        draw(site / place, title, question, book)
    return place


def draw(target: Path, title: str, question: str, book: str) -> None:
    """Draw a card, 1200 by 630 pixels."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="#14181e")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.05, 0.06, 0.9, 0.56), facecolor="#14181e")
    x = np.linspace(-4, 4, 400)
    for row, (temperature, colour) in enumerate(((2.0, "#f0b429"), (1.0, "#6ea8fe"), (0.5, "#5fd0a8"))):
        axes.plot(x, temperature * np.logaddexp(x / temperature, 0), color=colour, linewidth=5)
        axes.text(3.9, 0.9 - 0.45 * row, f"T = {temperature:g}", color=colour, fontsize=20, ha="right")
    axes.text(-3.9, 2.4, r"$T\,\log(e^{x/T} + 1)$ against $\max(x, 0)$", color="#c9d1d9", fontsize=20)
    axes.plot(x, np.maximum(x, 0), color="#e6e6e6", linewidth=3, linestyle=(0, (4, 3)))
    axes.set(xlim=(-4, 4), ylim=(-0.25, 4.3))
    axes.axis("off")
    words = {"parse_math": False, "va": "top"}  # a dollar in a title is a dollar
    figure.text(0.05, 0.95, book, color="#c9d1d9", fontsize=22, **words)
    heading = textwrap.wrap(title, 38)
    figure.text(0.05, 0.87, "\n".join(heading), color="#ffffff", fontsize=36, weight="bold", **words)
    below = 0.85 - 0.095 * len(heading)
    figure.text(0.05, below, textwrap.fill(question, 66), color="#f0b429", fontsize=22, **words)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target)


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("html-page-context", add_tags)
