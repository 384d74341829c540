"""The look of the book's figures: one palette for Matplotlib and for the explorables' style sheet.

The colours are those of Okabe and Ito moved until each has a contrast of at least 4.5 : 1 with its page, so that they
serve for lines and for text. Colour never stands alone: `use_style` gives each line its own dash and marker as well.
"""

from __future__ import annotations

PALETTE = {
    "blue": "#0068A8",
    "vermilion": "#B84300",
    "green": "#00745A",
    "purple": "#99418B",
    "ochre": "#806000",
    "grey": "#5C6773",
    "ink": "#1C2330",
}
"""The colours of figures on a light page, by name."""
PALETTE_DARK = {
    "blue": "#6CB6F5",
    "vermilion": "#FF9A5C",
    "green": "#4FCBA2",
    "purple": "#E79BD8",
    "ochre": "#E6C04B",
    "grey": "#A3AEBA",
    "ink": "#E4E8EE",
}
"""The same on a dark page."""

COLOURS = ("blue", "vermilion", "green", "purple", "ochre", "grey")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.6)), (0, (7, 2, 1.5, 2)), (0, (3, 1.5)), "-")
MARKERS = "osD^vP"
"""Names of colours, dashes and markers of a figure's lines, in their order: the third line has the third of each."""


def use_style() -> None:
    """Set Matplotlib's rcParams for the book: sizes that read at 390 px, quiet axes, lines that differ in dash too."""
    import matplotlib
    from cycler import cycler

    matplotlib.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=[PALETTE[name] for name in COLOURS]) + cycler(linestyle=DASHES),
            "figure.figsize": (5.6, 3.5),
            "figure.dpi": 110,
            "savefig.bbox": "tight",
            "font.size": 11,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "axes.labelcolor": PALETTE["ink"],
            "text.color": PALETTE["ink"],
            "axes.edgecolor": PALETTE["grey"],
            "xtick.color": PALETTE["grey"],
            "ytick.color": PALETTE["grey"],
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#D9DEE4",
            "grid.linewidth": 0.6,
            "axes.axisbelow": True,
            "lines.linewidth": 2.0,
            "lines.markersize": 6,
            "legend.frameon": False,
            "mathtext.fontset": "cm",
            "svg.fonttype": "path",
        }
    )
