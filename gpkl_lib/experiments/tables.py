"""Results as tables for a terminal or a log."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from gpkl_lib._optional import optional
from gpkl_lib._storage import Row
from gpkl_lib.corpora import visible
from gpkl_lib.experiments.errors import Match, confusion, counts, counts_by_type, counts_of_nested
from gpkl_lib.experiments.summary import MARGIN, MethodSummary, label
from gpkl_lib.spans import SpanScores
from gpkl_lib.statistics import PairedDifference, Verdict
from gpkl_lib.training import METHODS, History

WIDTH = 150  # columns, where the output is no terminal


def show(table: Any) -> None:
    """Print a table to standard output.

    Example:
        >>> from contextlib import redirect_stdout
        >>> from io import StringIO
        >>> with redirect_stdout(StringIO()) as shown:
        ...     show(scores_table("dev", span_scores([[("PER", 0, 1)]], [[("PER", 0, 1)]])))
        >>> "PER" in shown.getvalue()
        True
    """
    console = optional("rich.console", "train", "a table").Console()
    if not console.is_terminal:
        console.width = WIDTH
    console.print(table)


def history_table(history: History) -> Any:
    """An epoch a row, with an asterisk at the one whose weights were kept.

    Example:
        >>> from gpkl_lib.training import History
        >>> row = {"epoch": 1, "step": 5, "loss": 2.0, "task": 2.0, "divergence": None, "alpha": 0.0, "dev_loss": 1.0}
        >>> history_table(History([row | {"precision": 0.5, "recall": 0.5, "f1": 0.5, "seconds": 1.0}])).row_count
        1
    """
    table = _table("training", "epoch", "step", "loss", "task", "divergence", "alpha", "dev P", "dev R", "dev F1", "s")
    for row in history.rows:
        divergence = "" if row["divergence"] is None else f"{row['divergence']:.4f}"
        table.add_row(
            f"{row['epoch']}{' *' if row is history.best else '  '}",
            str(row["step"]),
            f"{row['loss']:.4f}",
            f"{row['task']:.4f}",
            divergence,
            f"{row['alpha']:g}",
            *(f"{row[name]:.4f}" for name in ("precision", "recall", "f1")),
            f"{row['seconds']:.1f}",
        )
    return table


def scores_table(title: str, scores: SpanScores) -> Any:
    """A type a row, then the means over types and all spans, with counts of spans.

    Example:
        >>> scores = span_scores([[("PER", 0, 1)]], [[("PER", 0, 1)]])
        >>> scores_table("dev", scores).row_count  # one type, and all of them
        3
    """
    return _filled(title, *score_rows(scores))


def score_rows(scores: SpanScores) -> tuple[list[str], list[list[str]]]:
    """Head and body of the table of scores.

    Example:
        >>> head, body = score_rows(span_scores([[("PER", 0, 1)]], [[("PER", 0, 1)]]))
        >>> body[0][0]
        'PER'
    """
    body = [
        [name, *(f"{value:.4f}" for value in (one.precision, one.recall, one.f1))]
        + [str(count) for count in (one.correct, one.predicted, one.gold)]
        for name, one in [*scores.by_type.items(), ("all (micro)", scores)]
    ]
    body.insert(-1, ["mean of types (macro)", "", "", f"{scores.macro_f1:.4f}", "", "", ""])
    return ["type", "precision", "recall", "F1", "correct", "predicted", "gold"], body


def errors_table(title: str, matches: Sequence[Match]) -> Any:
    """A type a row, then spans inside others, then all: what became of gold spans, and what predicted ones are.

    Example:
        >>> matches = span_errors([[("PER", 0, 1)]], [[("LOC", 0, 1)]])
        >>> errors_table("dev", matches).row_count > 0
        True
    """
    return _filled(f"{title}: errors", *error_rows(matches))


def error_rows(matches: Sequence[Match]) -> tuple[list[str], list[list[str]]]:
    """Head and body of the table of errors; gold spans to the left, predicted ones to the right.

    Example:
        >>> matches = span_errors([[("PER", 0, 1)]], [[("LOC", 0, 1)]])
        >>> head, body = error_rows(matches)
        >>> len(head) == len(body[0])
        True
    """
    body = []
    rows = counts_by_type(matches).items()
    for name, found in [*rows, ("inside another span", counts_of_nested(matches)), ("all", counts(matches))]:
        gold = [found["gold"][each] for each in ("spans", "correct", "wrong_type", "wrong_boundary", "missed")]
        own = [found["predicted"][each] for each in ("spans", "correct", "wrong_type", "wrong_boundary", "spurious")]
        body.append([name, *map(str, gold + own)])
    both = ("right", "wrong type", "boundary")
    return ["type", "gold", *both, "missed", "predicted", *both, "spurious"], body


def confusion_table(title: str, matches: Sequence[Match]) -> Any:
    """A gold type a row, as which types its spans were predicted.

    Example:
        >>> matches = span_errors([[("PER", 0, 1)]], [[("LOC", 0, 1)]])
        >>> confusion_table("dev", matches).row_count > 0
        True
    """
    return _filled(f"{title}: gold types (rows) as they were predicted (columns)", *confusion_rows(matches))


def confusion_rows(matches: Sequence[Match]) -> tuple[list[str], list[list[str]]]:
    """Head and body of the table of types; the last row and column are spurious and missed spans.

    Example:
        >>> matches = span_errors([[("PER", 0, 1)]], [[("LOC", 0, 1)]])
        >>> head, body = confusion_rows(matches)
        >>> head
        ['type', 'LOC', 'PER', '(missed)']
    """
    cells = {(cell["gold"], cell["predicted"]): cell["count"] for cell in confusion(matches)}
    types = sorted({name for pair in cells for name in pair if name is not None})
    body = [
        [row or "(spurious)", *(str(cells.get((row, column), 0)) for column in [*types, None])]
        for row in [*types, None]
    ]
    body[-1][-1] = ""
    return ["type", *types, "(missed)"], body


def comparison_table(summaries: Sequence[MethodSummary], rows: Sequence[Row], title: str = "") -> Any:
    """A method a row, at the alpha and warm-up that dev chose; `rows` are those of the group, which `title` names.

    Example:
        >>> comparison_table(summarise(rows), rows).row_count
        2
    """
    seeds = sorted({row["config"]["seed"] for row in rows})
    part = "test" if all(row["test"] for row in rows) else "dev"
    table = _table(
        f"{title or rows[0]['corpus']['name']}: F1, mean ± standard deviation over seeds {', '.join(map(str, seeds))}",
        *(
            "method",
            "alpha",
            "warm-up",
            "tried",
            "dev",
            "test",
            f"{part}: difference from none [95 %]",
            "verdict",
            "steps",
            "CPU s",
        ),
    )
    for s in summaries:
        table.add_row(
            _words(s.method, *own_settings(s)),
            f"{s.alpha:g}" if s.alpha else "",
            f"{s.alpha_warmup:g}" if s.alpha else "",
            str(s.tried),
            mean_and_spread(list(s.dev.values())),
            mean_and_spread(list(s.test.values())),
            "" if s.difference is None else interval(s.difference),
            "" if s.verdict is None else in_words(s.verdict),
            f"{s.steps:.0f}",
            f"{s.cpu_seconds:.1f}",
        )
    return table


def own_settings(summary: MethodSummary) -> list[str]:
    """["epsilon 0.1"]: the settings of the method's own that comparisons vary and its name does not say."""
    return [f"{name} {summary.own[name]}" for name in METHODS[summary.name].told] if summary.name in METHODS else []


def mean_and_spread(values: Sequence[float]) -> str:
    """'0.7123 ± 0.0101'; no spread from a single value, nothing from none."""
    if len(values) < 2:
        return f"{values[0]:.4f}" if values else ""
    return f"{fmean(values):.4f} ± {stdev(values):.4f}"


def interval(difference: PairedDifference | None) -> str:
    """'+0.0123 [-0.0010, +0.0256]'; no interval from a single pair; 'baseline' where nothing is compared.

    Example:
        >>> interval(by_method(rows)["sigmoid"].difference)
        '+0.0511 [+0.0484, +0.0539]'
    """
    if difference is None:
        return "baseline"
    if math.isnan(difference.low):
        return f"{difference.mean:+.4f} (one pair)"
    return f"{difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"


def choice(summary: MethodSummary, rows: Sequence[Row], setting: str = "alpha") -> str:
    """'0.1 of 0.1 to 1: the lowest': what dev chose, the ends of what it chose from, and whether it is one of them.

    Args:
        summary: of a method.
        rows: the record that it is made from; they may hold other methods and corpora as well.
        setting: a number of the configuration, by its name.

    Raises:
        ValueError: no row of that method and corpus.

    Example:
        >>> choice(by_method(rows)["sigmoid"], rows)
        '0.4, the only one'
    """
    mine = [row for row in rows if (label(row), row["corpus"]["name"]) == (summary.method, summary.corpus)]
    offered = sorted({float(row["config"][setting]) for row in mine})  # a row has "inf" for an infinite temperature
    if not offered:
        raise ValueError(f"rows must have some of {summary.method} on {summary.corpus}, got none")
    chosen = float(summary.own[setting] if setting in summary.own else getattr(summary, setting))
    if len(offered) == 1:
        return f"{chosen:g}, the only one" if chosen else ""
    edge = {offered[0]: ": the lowest", offered[-1]: ": the highest"}.get(chosen, "")
    return f"{chosen:g} of {offered[0]:g} to {offered[-1]:g}{edge}"


def in_words(verdict: Verdict) -> str:
    """The verdict on a difference of F1: 'better (p = 0.011)', 'equivalent within 0.005', 'undecided (see below)'.

    In brackets is Holm's p-value; where nothing is decided, "0.016 or more would be seen" says the smallest difference
    that so many seeds would have found with 80 % power.

    Example:
        >>> in_words(by_method(rows)["sigmoid"].verdict)
        'better (p = 0.00016)'
    """
    if verdict.word == "equivalent":
        return f"equivalent within {MARGIN:g}"
    if verdict.word != "undecided":
        return f"{verdict.word} (p = {verdict.p:.2g})"
    return "undecided" + (
        f" ({verdict.detectable:.2g} or more would be seen)" if math.isfinite(verdict.detectable) else ""
    )


def _words(*lines: str, style: str = "") -> Any:
    """Names as they are, one a line: no markup of rich's and no command to a terminal."""
    return optional("rich.text", "train", "a table").Text("\n".join(map(visible, lines)), style)


def _filled(title: str, head: Sequence[str], body: Sequence[Sequence[str]]) -> Any:
    table = _table(title, *head)
    for name, *cells in body:
        table.add_row(_words(name), *map(_words, cells))
    return table


def _table(title: str, *columns: str) -> Any:
    """An empty table; words stand to the left in its first column, numbers to the right in the others."""
    rich = optional("rich.table", "train", "a table")
    table = rich.Table(
        title=_words(title, style="table.title"),
        title_justify="left",
        box=optional("rich.box", "train", "a table").SIMPLE,
    )
    for number, column in enumerate(columns):
        table.add_column(_words(column), justify="right" if number else "left")
    return table
