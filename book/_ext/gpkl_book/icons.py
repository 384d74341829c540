"""The theme's icons without its icon script (543 kB gzipped) and fonts (274 kB): the two dozen glyphs the pages use.

The subset declares the range it covers, so an icon missing here still shows: the browser then fetches the theme's font.
"""

import base64
import io
import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

# icon classes written by the theme's templates; its admonitions and links name theirs in --pst-icon-* variables
SOLID = [
    "angle-left",
    "angle-right",
    "arrow-up",
    "bars",
    "chevron-down",
    "circle-half-stroke",
    "code",
    "download",
    "file",
    "file-pdf",
    "lightbulb",
    "list",
    "magnifying-glass",
    "moon",
    "pencil",
    "rocket",
    "sun",
    "xmark",
]
BRANDS = ["github"]


def code_points(css: str, names: list[str]) -> list[int]:
    """The code point that the theme's style sheet gives to each icon."""
    found = []
    for name in names:
        rule = re.search(rf'\.fa-{name}:before[^{{}}]*\{{content:"\\([0-9a-f]+)"\}}', css)
        if rule is None:
            raise ValueError(f"icon {name!r}: no rule .fa-{name}:before in the theme's style sheet")
        found.append(int(rule[1], 16))
    return found


def font_face(family: str, weight: int, font: Path, points: list[int]) -> str:
    """An ``@font-face`` rule that holds these glyphs of the font."""
    options = subset.Options(flavor="woff", name_IDs=[], layout_features=[], hinting=False, notdef_outline=True)
    small = TTFont(font, recalcTimestamp=False)
    cut = subset.Subsetter(options)
    cut.populate(unicodes=points)
    cut.subset(small)
    small.flavor = "woff"
    packed = io.BytesIO()
    small.save(packed)
    covered = ", ".join(f"U+{point:X}" for point in sorted(set(points)))
    data = base64.b64encode(packed.getvalue()).decode()
    return (
        f'@font-face {{ font-family: "{family}"; font-weight: {weight}; font-display: block; '
        f"unicode-range: {covered}; src: url(data:font/woff;base64,{data}) format('woff'); }}\n"
    )


def style_sheet(theme_static: Path) -> str:
    """The rules for both of the theme's icon families."""
    css = (theme_static / "styles" / "pydata-sphinx-theme.css").read_text("utf-8")
    fonts = theme_static / "vendor" / "fontawesome" / "webfonts"
    named = [ord(glyph) for glyph in re.findall(r'--pst-icon-[\w-]+:"(.)"', css)]
    return font_face(
        "Font Awesome 6 Free", 900, fonts / "fa-solid-900.ttf", named + code_points(css, SOLID)
    ) + font_face("Font Awesome 6 Brands", 400, fonts / "fa-brands-400.ttf", code_points(css, BRANDS))
