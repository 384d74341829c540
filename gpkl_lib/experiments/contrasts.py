"""Differences between the methods of a comparison, judged as a family; and the interval that a headline tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from gpkl_lib._storage import Row
from gpkl_lib.experiments.records import read_counts
from gpkl_lib.experiments.summary import MARGIN, MethodSummary, check_one_group, label, variants
from gpkl_lib.statistics import PairedDifference, Verdict, hierarchical_bootstrap, judge, paired_difference, sign_flips
from gpkl_lib.training import METHODS


class Contrast(NamedTuple):
    """A method minus another, in F1 on test (on dev where there is no test).

    Attributes:
        difference: with its t interval.
        verdict: on it, as one of its family.
        flips: p-value of sign flips, which asks for no normal distribution; not adjusted.

    Example:
        >>> found = contrasts(by_method(rows), ("sigmoid", "none"))["sigmoid", "none"]
        >>> round(found.difference.mean, 4), found.flips
        (0.0511, 0.25)
    """

    difference: PairedDifference
    verdict: Verdict
    flips: float


def contrasts(
    summaries: Mapping[str, MethodSummary], *pairs: tuple[str, str], margin: float = MARGIN
) -> dict[tuple[str, str], Contrast]:
    """The contrasts that make up one family of comparisons, as (method, rival) -> Contrast.

    Args:
        summaries: as `by_method` gives them.
        pairs: all that are compared, stated beforehand.
        margin: of F1; within it two methods are equivalent.

    Raises:
        KeyError: a method that is not among the summaries.

    Example:
        >>> found = contrasts(by_method(rows), ("sigmoid", "none"))
        >>> [(pair, contrast.verdict.word) for pair, contrast in found.items()]
        [(('sigmoid', 'none'), 'better')]
    """
    scores = {name: summary.test or summary.dev for name, summary in summaries.items()}
    differences = {(a, b): paired_difference(scores[a], scores[b]) for a, b in pairs}
    verdicts = judge(differences, margin)
    return {
        (a, b): Contrast(difference, verdicts[a, b], sign_flips(scores[a], scores[b]))
        for (a, b), difference in differences.items()
    }


def bootstrapped(rows: Sequence[Row], method: str, rival: str, *, resamples: int = 2000) -> tuple[float, float]:
    """The 95 % interval of method - rival in test F1 if seeds and test sentences were drawn anew.

    Args:
        rows: of one comparison, each with the counts of its test sentences.
        method, rival: by their `label`; each at one variant.
        resamples: how often the whole is drawn anew.

    Raises:
        ValueError: rows of several comparisons, several variants of a method, rows without counts.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from gpkl_lib.corpora import toy_corpus
        >>> from gpkl_lib.training import TrainingConfig
        >>> part, base = toy_corpus(8), TrainingConfig(epochs=1, device="cpu")
        >>> task, model = Task("toy", part, part, part), ModelConfig(hidden_size=8)
        >>> trials = [Trial(task, model, each) for each in grid(base, ["none", "sigmoid"], [1.0], [0.0], [0, 1])]
        >>> rows = [run_trial(trial, Path(tempfile.mkdtemp(), "run")) for trial in trials]
        >>> low, high = bootstrapped(rows, "sigmoid", "none", resamples=200)
        >>> low <= high
        True
    """
    check_one_group(rows)
    counts = []
    for name in (method, rival):
        found = list(variants([row for row in rows if label(row) == name]).values())
        if len(found) != 1:
            raise ValueError(f"{name} must have one variant, got {len(found)}")
        counts.append({seed: read_counts(row) for seed, row in found[0].items()})
    same = len({row["corpus"]["test"]["sha256"] for row in rows}) == 1
    return hierarchical_bootstrap(*counts, same_sentences=same, resamples=resamples)


def unit_weight(rows: Sequence[Row], method: str) -> float:
    """The alpha at which what a method adds to the loss is as large as the cross-entropy.

    An alpha divided by it is the *share* of the cross-entropy that the method adds: the scale on which divergences of
    different sizes can be compared.

    Args:
        rows: of runs in which the method's divergence was measured, two views with alpha = 0 say; their last epoch
            tells.
        method: by the name in `METHODS`.

    Raises:
        ValueError: no row of that method.

    Example:
        >>> run = {"config": {"method": "sigmoid"}, "history": {"task": [0.9, 0.3], "divergence": [0.1, 0.2]}}
        >>> round(unit_weight([run], "sigmoid"), 3)  # alpha / 4 x 0.2 = 0.3
        6.0
    """
    of = [row["history"] for row in rows if row["config"]["method"] == method]
    if not of:
        raise ValueError(f"no row of {method}")
    task, divergence = (fmean(history[part][-1] for history in of) for part in ("task", "divergence"))
    return task / (METHODS[method].factor * divergence)
