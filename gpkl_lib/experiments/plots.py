"""The figures of a comparison: every seed is a point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from textwrap import fill
from typing import Any

from gpkl_lib._optional import optional
from gpkl_lib._storage import Row
from gpkl_lib.corpora import visible
from gpkl_lib.experiments.summary import MARGIN, f1_by_seed, groups, label, summarise, titles, variants
from gpkl_lib.palette import PALETTE
from gpkl_lib.statistics import paired_difference
from gpkl_lib.training import METHODS, TWO_VIEWS


def style(row: Row) -> tuple[str, str]:
    """Marker and colour of a run's method; two views without their divergence have their own."""
    method = METHODS.get(row["config"]["method"])
    if label(row) == TWO_VIEWS:
        return "v", PALETTE["purple"]
    return (method.marker, PALETTE[method.tone]) if method else ("o", PALETTE["ink"])


def comparison_figure(rows: Sequence[Row]) -> Any:
    """A row of two panels for each group of runs, as a Matplotlib figure.

    Left: F1 of each method at its tuned weight, a point a seed, grey lines joining the pairs, a bar at the mean.
    Right: F1 on dev against alpha, a line through the means of each warm-up, a level one without a weight.

    Example:
        >>> len(comparison_figure(rows).axes)  # each method's seeds, and dev F1 against alpha
        2
    """
    figures = optional("matplotlib.figure", "train", "the figure of a comparison")
    parts = groups(rows)
    figure = figures.Figure((9, 3.6 * len(parts)), layout="constrained")
    panels = figure.subplots(len(parts), 2, squeeze=False)
    for (left, right), group, title in zip(panels, parts, titles(parts), strict=True):
        _methods(left, group, title)
        _weights(right, group)
    return figure


def difference_plot(axes: Any, f1: Mapping[str, Mapping[int, float]], pairs: Iterable[tuple[str, str]]) -> None:
    r"""Differences of F1 on axes of Matplotlib, a row each: a dot a seed, a diamond at the mean, its 95 % t interval.

    The band reaches from 0 as far as the margin within which two methods are called equivalent.

    Args:
        axes: empty ones.
        f1: of each method, by seed.
        pairs: (method, rival), the uppermost first.

    Example:
        >>> from matplotlib.figure import Figure
        >>> axes = Figure().subplots()
        >>> difference_plot(axes, {"sigmoid": {0: 0.52, 1: 0.51}, "none": {0: 0.5, 1: 0.5}}, [("sigmoid", "none")])
        >>> axes.get_yticklabels()[0].get_text()
        'sigmoid\nminus none'
    """
    labels = []
    for y, (a, b) in enumerate(pairs):
        changes = [f1[a][seed] - f1[b][seed] for seed in f1[a]]
        axes.plot(changes, [-y - 0.22] * len(changes), "o", color=PALETTE["grey"], ms=3.5)
        d = paired_difference(f1[a], f1[b])
        axes.errorbar(d.mean, -y, xerr=[[d.mean - d.low], [d.high - d.mean]], fmt="D", color=PALETTE["blue"], capsize=4)
        labels.append("\n".join([fill(a, 30), fill(f"minus {b}", 30)]))
    axes.axvspan(-MARGIN, MARGIN, color=PALETTE["grey"], alpha=0.25, lw=0)
    axes.axvline(0, color=PALETTE["ink"], lw=1)
    axes.set(yticks=[-y for y in range(len(labels))], yticklabels=labels, ylim=(0.4 - len(labels), 0.4))
    axes.tick_params(axis="y", labelsize=9)
    axes.set_xlabel("difference in test F1, same seed")


def _methods(axes: Any, group: Sequence[Row], title: str) -> None:
    summaries, styles = summarise(group), _styles(group)
    scores = [summary.test or summary.dev for summary in summaries]
    for seed in sorted({seed for values in scores for seed in values}):
        axes.plot([values.get(seed) for values in scores], color="#bbbbbb", linewidth=0.8, zorder=1)
    for place, (summary, values) in enumerate(zip(summaries, scores, strict=True)):
        marker, colour = styles[summary.method]
        axes.scatter([place] * len(values), list(values.values()), marker=marker, color=colour, s=24, zorder=3)
        axes.hlines(fmean(values.values()), place - 0.2, place + 0.2, color=colour, linewidth=2, zorder=2)
    labels = [f"{s.method}\nα {s.alpha:g}" if s.alpha else s.method for s in summaries]
    slant = {"rotation": 40, "ha": "right"} if len(labels) > 5 else {}
    axes.set_xticks(range(len(labels)), labels, fontsize=9, parse_math=False, **slant)
    axes.margins(x=0.15)
    axes.set_ylabel("F1 on test" if all(s.test for s in summaries) else "F1 on dev")
    axes.set_title(f"{visible(title)}: a point a seed, weight chosen on dev", parse_math=False)  # a $ in a name is a $


def _weights(axes: Any, group: Sequence[Row]) -> None:
    lines: dict[tuple[str, float], dict[float, list[float]]] = {}
    styles = _styles(group)
    for (method, alpha, warmup, *_), runs in variants(group).items():
        values = list(f1_by_seed(runs, "dev").values())
        marker, colour = styles[method]
        if alpha == 0:
            axes.axhline(
                fmean(values), color=colour, linestyle=(0, (1, 1) if method == "none" else (4, 2)), label=method
            )
            continue
        at = lines.setdefault((method, warmup), {})
        at[alpha] = max(at.get(alpha, values), values, key=fmean)  # the best of the method's other settings
        axes.scatter([alpha] * len(values), values, marker=marker, color=colour, s=12, alpha=0.6)
    warmups = sorted({warmup for _, warmup in lines})
    kinds = sorted({method for method, _ in lines})
    for (method, warmup), by_alpha in sorted(lines.items()):
        alphas, dashes = sorted(by_alpha), ("-", ":", "-.")[warmups.index(warmup) % 3]
        name = method if len(warmups) == 1 else f"{method}, warm-up {warmup:g}"
        means = [fmean(by_alpha[alpha]) for alpha in alphas]
        marker, colour = styles[method]
        alike = [
            kind for kind in kinds if styles[kind] == styles[method]
        ]  # one method at several settings: paler lines
        shade = 1 - 0.8 * alike.index(method) / len(alike)
        axes.plot(alphas, means, dashes, marker=marker, color=colour, alpha=shade, label=name)
    axes.set_xscale("log")
    axes.set_xlabel("alpha")
    axes.set_ylabel("F1 on dev")
    legend = axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize=8)  # above: it hides no point
    for text in legend.get_texts():
        text.set_parse_math(False)


def _styles(group: Sequence[Row]) -> dict[str, tuple[str, str]]:
    """The marker and the colour of every label in a group."""
    return {label(row): style(row) for row in group}
