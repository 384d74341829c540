"""Paired runs: intervals, tests and verdicts, against SciPy, enumeration and simulation."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from gpkl_lib.statistics import (
    PairedDifference,
    hierarchical_bootstrap,
    holm,
    judge,
    paired_difference,
    sign_flips,
)

A = dict(enumerate([0.71, 0.69, 0.74, 0.70, 0.735]))
B = dict(enumerate([0.70, 0.68, 0.70, 0.705, 0.71]))


def difference(mean: float, spread: float, pairs: int) -> PairedDifference:
    """A difference with exactly this mean and spread."""
    scores = np.random.default_rng(pairs).normal(size=pairs)
    scores = (scores - scores.mean()) / scores.std(ddof=1) * spread + mean
    return paired_difference(dict(enumerate(scores.tolist())), dict.fromkeys(range(pairs), 0.0))


class TestPairedDifference:
    def test_interval_and_p_value_agree_with_scipys_paired_test(self):
        from scipy.stats import ttest_rel

        test = ttest_rel(list(A.values()), list(B.values()))
        for confidence in (0.9, 0.95, 0.99):
            found, truth = paired_difference(A, B, confidence=confidence), test.confidence_interval(confidence)
            assert (found.low, found.high) == pytest.approx((truth.low, truth.high), abs=1e-12)
            assert found.mean == pytest.approx(0.016)
            assert found.pairs == 5
        assert found.p == pytest.approx(test.pvalue, rel=1e-12)
        assert paired_difference(B, A).p == pytest.approx(test.pvalue, rel=1e-12)

    def test_interval_in_closed_form_for_two_pairs(self):
        # One degree of freedom is Cauchy: its quantile at 0.975 is tan(0.475 pi); s_d / sqrt(2) is half the distance.
        found = paired_difference({0: 1.0, 1: 3.0}, {0: 0.0, 1: 0.0})
        assert found.high == pytest.approx(2 + math.tan(0.475 * math.pi))
        assert found.low == pytest.approx(2 - math.tan(0.475 * math.pi))
        assert found.spread == pytest.approx(math.sqrt(2))

    def test_pairs_are_seeds_that_both_have(self):
        assert paired_difference({1: 5.0, 2: 6.0, 9: 0.0}, {2: 2.0, 1: 2.0}).mean == 3.5
        with pytest.raises(ValueError, match="no seed in common"):
            paired_difference({1: 1.0}, {2: 1.0})
        with pytest.raises(ValueError, match="confidence"):
            paired_difference({1: 1.0}, {1: 1.0}, confidence=95)

    def test_one_pair_shows_nothing(self):
        alone = paired_difference({1: 5.0}, {1: 2.0})
        assert alone.mean == 3.0
        assert math.isnan(alone.low)
        assert (alone.p, alone.equivalence(10.0), alone.detectable()) == (1.0, 1.0, math.inf)

    def test_seeds_that_all_agree(self):
        same, apart = paired_difference(A, A), paired_difference({0: 2.0, 1: 3.0}, {0: 1.0, 1: 2.0})
        assert (same.p, same.equivalence(0.1)) == (1.0, 0.0)
        assert (apart.p, apart.equivalence(0.1), apart.detectable()) == (0.0, 1.0, 0.0)

    def test_equivalence_is_two_one_sided_tests(self):
        from scipy.stats import ttest_1samp

        differences = [A[seed] - B[seed] for seed in A]
        for margin in (0.01, 0.02, 0.04):
            above = ttest_1samp(differences, -margin, alternative="greater").pvalue
            below = ttest_1samp(differences, margin, alternative="less").pvalue
            assert paired_difference(A, B).equivalence(margin) == pytest.approx(max(above, below), rel=1e-9)
        with pytest.raises(ValueError, match="margin must be positive, got 0"):
            paired_difference(A, B).equivalence(0)

    def test_a_difference_of_the_detectable_size_is_found_four_times_in_five(self):
        generator, pairs = np.random.default_rng(0), 6
        size = difference(0.0, 1.0, pairs).detectable()
        draws = generator.normal(size, 1.0, (2000, pairs))
        found = [paired_difference(dict(enumerate(draw)), dict.fromkeys(range(pairs), 0.0)).p < 0.05 for draw in draws]
        assert np.mean(found) == pytest.approx(0.8, abs=0.03)
        sizes = [round(difference(0.0, 0.95, n).detectable(), 2) for n in (3, 5, 10, 20, 40)]
        assert sizes == [3.1, 1.6, 0.95, 0.63, 0.43]
        with pytest.raises(ValueError, match="power must lie between 1/2 and 1"):
            difference(0.0, 1.0, 6).detectable(power=0.4)


def test_sign_flips_count_every_way_to_flip():
    differences = [A[seed] - B[seed] for seed in A]
    means = [np.mean(np.multiply(differences, signs)) for signs in itertools.product((1, -1), repeat=5)]
    far = [abs(mean) >= np.mean(differences) - 1e-12 for mean in means]
    assert sign_flips(A, B) == pytest.approx(np.mean(far))
    many = {seed: 0.1 + seed % 3 for seed in range(40)}
    assert sign_flips(many, dict.fromkeys(many, 0.0), resamples=999) == pytest.approx(2 / 1000)  # none of 999 is as far


def test_holm_by_hand():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


class TestJudge:
    def test_every_word(self):
        verdicts = judge(
            {
                "up": difference(0.02, 0.01, 20),
                "down": difference(-0.02, 0.01, 20),
                "near": difference(0.0, 0.005, 30),
                "vague": difference(0.004, 0.02, 10),
            },
            margin=0.005,
        )
        assert [verdicts[name].word for name in ("up", "down", "near", "vague")] == [
            *("better", "worse", "equivalent", "undecided")
        ]

    def test_what_is_surely_not_zero_and_surely_small_is_equivalent(self):
        (found,) = judge({"small": difference(0.002, 0.001, 30)}, margin=0.005).values()
        assert found.word == "equivalent"
        assert found.p < 0.001

    def test_many_comparisons_ask_for_more(self):
        one = difference(0.01, 0.02, 20)
        assert one.p < 0.05
        assert judge({"alone": one}, margin=0.005)["alone"].word == "better"
        family = {"one": one} | {str(n): difference(0.0, 0.02, 20 + n) for n in range(4)}
        assert judge(family, margin=0.005)["one"].word == "undecided"
        assert judge(family, margin=0.005)["one"].p == pytest.approx(5 * one.p)


class TestBootstrap:
    @staticmethod
    def counts(seeds: int, sentences: int, quality: float, *, luck: float = 0.0, sets: int = 1, draw: int = 0) -> Any:
        """Counts by seed; `luck` moves the quality of a seed, `sets` is the number of test sets."""
        found = {}
        for seed in range(seeds):
            gold = np.random.default_rng(seed % sets).integers(0, 4, sentences)
            generator = np.random.default_rng([draw, seed])
            correct = generator.binomial(gold, np.clip(quality + luck * generator.normal(), 0, 1))
            found[seed] = [correct.tolist(), (correct + generator.integers(0, 2, sentences)).tolist(), gold.tolist()]
        return found

    @staticmethod
    def f1(counts: Any) -> dict[int, float]:
        return {seed: 2 * sum(c) / (sum(p) + sum(g)) for seed, (c, p, g) in counts.items()}

    def test_no_difference_has_no_width(self):
        same = self.counts(4, 50, 0.5)
        assert hierarchical_bootstrap(same, same, same_sentences=True, resamples=50) == (0.0, 0.0)

    def test_with_many_sentences_it_is_an_interval_over_seeds(self):
        method = self.counts(30, 400, 0.6, luck=0.1, draw=1)
        baseline = self.counts(30, 400, 0.5, luck=0.1, draw=2)
        low, high = hierarchical_bootstrap(method, baseline, same_sentences=False, resamples=600)
        over_seeds = paired_difference(self.f1(method), self.f1(baseline))
        assert low < over_seeds.mean < high
        assert (high - low) / (over_seeds.high - over_seeds.low) == pytest.approx(1, abs=0.2)

    def test_one_test_set_for_all_seeds_is_one_sample(self):
        """Methods that differ on some sentences, always the same ones: only a new test set can change that."""
        gold = np.ones(60, dtype=int)
        good, poor = np.arange(60) % 2 == 0, np.arange(60) % 4 == 0
        method = {seed: [good.astype(int).tolist(), gold.tolist(), gold.tolist()] for seed in range(20)}
        baseline = {seed: [poor.astype(int).tolist(), gold.tolist(), gold.tolist()] for seed in range(20)}
        shared = hierarchical_bootstrap(method, baseline, same_sentences=True, resamples=400)
        apart = hierarchical_bootstrap(method, baseline, same_sentences=False, resamples=400)
        error = math.sqrt(0.25 * 0.75 / 60)  # of the share of sentences in which they differ
        assert (shared[1] - shared[0]) / (2 * 1.96 * error) == pytest.approx(1, abs=0.15)
        assert apart[1] - apart[0] < 0.4 * (shared[1] - shared[0])

    def test_counts_of_other_sentences_are_refused(self):
        with pytest.raises(ValueError, match="counts of the same test sentences"):
            hierarchical_bootstrap(self.counts(2, 50, 0.5), self.counts(2, 40, 0.5), same_sentences=True)
        with pytest.raises(ValueError, match="counts of the same test sentences"):
            hierarchical_bootstrap(self.counts(2, 50, 0.5, sets=2), self.counts(2, 50, 0.5), same_sentences=False)
        with pytest.raises(ValueError, match="no seed in common"):
            hierarchical_bootstrap({0: [[1], [1], [1]]}, {1: [[1], [1], [1]]}, same_sentences=True)
