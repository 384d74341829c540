"""Entropy against length: what it is meant to show, the scores that it draws, and what it refuses."""

import math
import re

import pytest
import traitlets
from explorable_page import settled, shown

from gpkl_lib.explore import EntropyAgainstLength
from gpkl_lib.explore.entropy_against_length import LENGTHS, random_scores


@pytest.mark.browser
def test_dragging_across_moves_the_length_by_powers_of_two(stage):
    page = stage(EntropyAgainstLength(16)).page
    box = page.locator(".gpkl-across").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 100)
    page.mouse.down()
    plain = []
    for place in range(0, 11, 2):
        page.mouse.move(box["x"] + place / 10 * box["width"], box["y"] + 90, steps=3)
        settled(page)
        assert page.get_by_label("length n").input_value() == str(4 + place)
        plain.append(shown(page, "plain"))
    page.mouse.up()
    assert plain == sorted(plain)
    assert plain[-1] - plain[0] == pytest.approx(shown(page, "plain_spread"), rel=1e-12)


@pytest.mark.browser
def test_kappa_log_n_holds_normal_scores_and_not_uniform_ones(stage):
    page = stage(EntropyAgainstLength()).page
    assert shown(page, "invariant_spread") < 0.35 * shown(page, "plain_spread")
    page.get_by_label("uniform").check()
    settled(page)
    assert shown(page, "invariant_spread") > 0.75 * shown(page, "plain_spread")


@pytest.mark.browser
def test_both_agree_at_the_reference(stage):
    page = stage(EntropyAgainstLength(512, scale=3.7)).page
    assert shown(page, "plain") == pytest.approx(shown(page, "invariant"), rel=1e-12)
    assert shown(page, "factor") == pytest.approx(3.7, rel=1e-12)
    for k in (1, 2):  # the bars of both panels are the same probabilities
        drawn = page.locator(f".gpkl-panel:nth-child({k + 1}) path.gpkl-bar").get_attribute("d")
        heights = [-float(height) for height in re.findall(r"v(-[\d.e-]+)h", drawn)]
        top = (3.7 * random_scores(512)[0]).softmax(-1).sort(descending=True).values[:20]
        assert heights == pytest.approx((120 * top).tolist(), abs=1e-3)


@pytest.mark.parametrize(
    ("kind", "law", "place_and_width"), [("normal", "norm", (0, 1)), ("uniform", "uniform", (-(3**0.5), 2 * 3**0.5))]
)
def test_the_scores_are_what_they_are_called(kind, law, place_and_width):
    from scipy.stats import kstest  # which takes half a second to import

    x = random_scores(16384, kind)[0].numpy()
    assert kstest(x, law, place_and_width).pvalue > 0.01
    assert kstest(x[:1024], law, place_and_width).pvalue > 0.01
    assert abs(x.mean()) < 0.02
    assert x.var() == pytest.approx(1, abs=0.02)
    for lag in (1, 2, 7):
        assert abs((x[lag:] * x[:-lag]).mean()) < 0.025


def test_every_length_reads_one_stream_from_its_beginning():
    whole = random_scores(16384).flatten()
    for n in LENGTHS:
        rows = random_scores(n)
        assert rows.shape == (16, n)
        assert (rows.flatten() == whole[: rows.numel()]).all()


def test_what_it_refuses():
    for n in (8, 100, 32768):
        with pytest.raises(traitlets.TraitError, match="power of 2 from 16 to 16384"):
            EntropyAgainstLength(n)
        with pytest.raises(ValueError, match="power of 2 from 16 to 16384"):
            random_scores(n)
    for scale in (0.0, 8.5, math.nan):
        with pytest.raises(traitlets.TraitError, match="scale must lie between"):
            EntropyAgainstLength(scale=scale)
    with pytest.raises(traitlets.TraitError):
        EntropyAgainstLength(scores="cauchy")
    with pytest.raises(ValueError, match="'normal' or 'uniform'"):
        random_scores(16, "cauchy")
