"""Differences between methods as a family, and with the test sentences drawn anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpkl_lib.experiments import bootstrapped, by_method, contrasts, unit_weight
from gpkl_lib.experiments.records import sentence_counts
from gpkl_lib.statistics import sign_flips

GOLD = [[("A", n, n + 1) for n in range(3)]] * 80


def row(arm: str, seed: int, share: float, *, test: str = "t") -> dict[str, Any]:
    """A run that finds this share of the spans, and one wrong span a sentence."""
    drawn = np.random.default_rng([seed, len(arm)]).random((80, 3)) < share
    found = [[*(("A", n, n + 1) for n in range(3) if hit[n]), ("B", 0, 2)] for hit in drawn]
    f1 = 2 * int(drawn.sum()) / (int(drawn.sum()) + 80 + 240)
    corpus = {"name": "c", "draw": "seed", **{part: {"sha256": test, "sentences": 80} for part in ("train", "test")}}
    config = {"method": arm.split()[0], "alpha": 0.0, "alpha_warmup": 0.0, "seed": seed}
    run = {"arm": arm, "corpus": corpus, "model": {}, "config": config, "dev": {"f1": f1}, "key": f"{arm} {seed}"}
    scored = {"test": {"f1": f1, "sentences": sentence_counts(found, GOLD)}}
    return {**run, **scored, "steps": 1, "seconds": 1.0, "cpu_seconds": 1.0}


SHARES = {"none": 0.5, "none longer": 0.5, "sigmoid": 0.7}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [row(arm, seed, share) for seed in range(12) for arm, share in SHARES.items()]


def test_a_family_is_what_is_named_together(rows: list[dict[str, Any]]) -> None:
    summaries = by_method(rows)
    alone = contrasts(summaries, ("sigmoid", "none"))["sigmoid", "none"]
    pairs = [("sigmoid", "none"), ("sigmoid", "none longer"), ("none longer", "none")]
    family = contrasts(summaries, *pairs)
    assert list(family) == pairs
    assert alone.verdict.p == alone.difference.p
    assert family[pairs[0]].verdict.p == pytest.approx(alone.difference.p * 3, rel=1.0)
    assert family[pairs[0]].verdict.p > alone.verdict.p
    assert [family[pair].verdict.word for pair in pairs] == ["better", "better", "undecided"]
    assert alone.flips == sign_flips(summaries["sigmoid"].test, summaries["none"].test) == pytest.approx(2 / 2**12)
    wide = contrasts(summaries, ("none longer", "none"), margin=0.2)["none longer", "none"]
    assert wide.verdict.word == "equivalent"
    with pytest.raises(KeyError):
        contrasts(summaries, ("sigmoid", "softmax"))


def test_sentences_are_drawn_once_where_all_seeds_share_them(rows: list[dict[str, Any]]) -> None:
    difference = contrasts(by_method(rows), ("sigmoid", "none"))["sigmoid", "none"].difference
    low, high = bootstrapped(rows, "sigmoid", "none", resamples=300)
    assert low < difference.mean < high
    assert low > 0
    own = [row(arm, seed, share, test=str(seed)) for seed in range(12) for arm, share in SHARES.items()]
    assert bootstrapped(own, "sigmoid", "none", resamples=300) != (low, high)


def test_what_is_not_one_comparison_is_refused(rows: list[dict[str, Any]]) -> None:
    other = row("sigmoid", 0, 0.7)
    other["config"]["epochs"] = 3
    with pytest.raises(ValueError, match="sigmoid must have one variant, got 2"):
        bootstrapped([*rows, other], "sigmoid", "none")
    with pytest.raises(ValueError, match="softmax must have one variant, got 0"):
        bootstrapped(rows, "softmax", "none")
    with pytest.raises(ValueError, match="got 2 comparisons"):
        bootstrapped([*rows, {**rows[0], "corpus": {"name": "d"}}], "sigmoid", "none")


def test_a_weight_is_told_by_the_size_of_the_divergence() -> None:
    rows = [
        {"config": {"method": method}, "history": {"task": [9.0, task], "divergence": [9.0, divergence]}}
        for method, task, divergence in (("sigmoid", 0.2, 0.1), ("sigmoid", 0.4, 0.3), ("softmax", 0.3, 1.2))
    ]
    assert unit_weight(rows, "sigmoid") == pytest.approx(0.3 / (0.25 * 0.2))
    assert unit_weight(rows, "softmax") == pytest.approx(1.0)
    with pytest.raises(ValueError, match="no row of squared"):
        unit_weight(rows, "squared")
