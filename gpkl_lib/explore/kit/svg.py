"""Small pieces of SVG for the still pictures: classes for the page's colours, attributes where no style sheet is."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from gpkl_lib.palette import PALETTE


def tag(name: str, text: str = "", /, **attributes: object) -> str:
    """Return one element; `class_` is class, an underscore inside a name a hyphen, floats are cut to two decimals."""
    parts = []
    for key, value in attributes.items():
        shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else html.escape(str(value))
        parts.append(f' {key.rstrip("_").replace("_", "-")}="{shown}"')
    return f"<{name}{''.join(parts)}>{text}</{name}>" if text else f"<{name}{''.join(parts)}/>"


def picture(width: int, height: int, alt: str, body: Iterable[str]) -> str:
    """Return the whole picture, an image to assistive technology with `alt` as its text."""
    return tag(
        "svg",
        "".join(body),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_label=alt,
        class_="gpkl gpkl-picture",
        font_family="system-ui, sans-serif",
        font_size="12",
    )


def line(x1: float, y1: float, x2: float, y2: float, tone: str = "grey", **more: object) -> str:
    """Return a line in a colour of the palette."""
    width = more.pop("width", 1)
    return tag(
        "line", x1=x1, y1=y1, x2=x2, y2=y2, class_=f"gpkl-{tone}", stroke=PALETTE[tone], stroke_width=width, **more
    )


def box(x: float, y: float, width: float, height: float, tone: str, **more: object) -> str:
    """Return a filled rectangle in a colour of the palette."""
    return tag(
        "rect", x=x, y=y, width=width, height=height, class_=f"gpkl-paint gpkl-{tone}", fill=PALETTE[tone], **more
    )


def outline(x: float, y: float, width: float, height: float, tone: str) -> str:
    """Return a dashed rectangle without a fill."""
    return tag(
        "rect",
        x=x,
        y=y,
        width=width,
        height=height,
        class_=f"gpkl-{tone}",
        fill="none",
        stroke=PALETTE[tone],
        stroke_width=1.5,
        stroke_dasharray="4 3",
    )


def dot(x: float, y: float, tone: str, shape: str = "circle", size: float = 5) -> str:
    """Return a filled circle or diamond."""
    paint = {"class_": f"gpkl-paint gpkl-{tone}", "fill": PALETTE[tone]}
    if shape == "circle":
        return tag("circle", cx=x, cy=y, r=size, **paint)
    r = size * 1.3
    return tag("path", d=f"M{x:.2f} {y - r:.2f}l{r:.2f} {r:.2f}-{r:.2f} {r:.2f}-{r:.2f}-{r:.2f}Z", **paint)


def text(x: float, y: float, content: str, tone: str = "ink", anchor: str = "middle") -> str:
    """Return text, *symbols* between stars in italics."""
    inner = re.sub(r"\*([^*]+)\*", r'<tspan class="gpkl-var" font-style="italic">\1</tspan>', html.escape(content))
    return tag("text", inner, x=x, y=y, class_=f"gpkl-paint gpkl-{tone}", fill=PALETTE[tone], text_anchor=anchor)


def number(value: float, digits: int) -> str:
    """Return `value` with a true minus sign, and infinity as its sign."""
    return f"{value:.{digits}f}".replace("-", "−").replace("inf", "∞")


def listed(values: Iterable[float], digits: int) -> str:
    """Return the values with commas between."""
    return ", ".join(number(value, digits) for value in values)
