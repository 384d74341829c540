"""One noise, many roads: order that lasts without new noise, what is counted against what is exact, its controls."""

import math

import pytest
import torch
import traitlets
from explorable_page import settled, shown

from gpkl_lib.explore import OneNoiseManyRoads
from gpkl_lib.explore.one_noise_many_roads import DATA, LEVELS, gaussian, kl, plan, roads, schedule


@pytest.mark.parametrize("steps", [1, 2, 7, 100])
@pytest.mark.parametrize("data", DATA)
def test_without_new_noise_no_two_roads_cross(data, steps):
    paths = OneNoiseManyRoads(data, steps=steps).paths()
    shown, hidden = paths[:, :12], paths[:, 12:]
    assert (shown.diff() > 0).all()
    assert (hidden.diff() > 0).all()
    assert OneNoiseManyRoads(data, steps=max(steps, 2), eta=1.0).values()["swapped"] > 0


def test_one_start_has_one_road_without_new_noise_and_many_with_it():
    same = {eta: OneNoiseManyRoads(together=True, eta=eta, start=0.3).values()["apart"] for eta in (0.0, 0.5)}
    assert same[0.0] == 0 < same[0.5]


@pytest.mark.parametrize("added", ["matching", "large", "large but last"])
def test_what_many_roads_count_is_what_the_recursion_says(added):
    moves, bump = plan(8, 0.7, added), DATA["one bump"][0]
    starts = torch.randn(40_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ends = roads(starts, moves, DATA["one bump"])[-1]
    mean, width = gaussian(moves, bump)
    assert abs(ends.mean() - mean) < 5 * width / 200
    assert abs(ends.std() / width - 1) < 5 / math.sqrt(80_000)


def test_levels_are_those_of_the_usual_schedule_and_ddpm_is_its_posterior():
    a, b = schedule()
    assert len(a) == LEVELS + 1
    assert a[-1] == pytest.approx(0.006352818)
    k, beta = 500, 1e-4 + (0.02 - 1e-4) * 499 / 999
    move = plan(LEVELS, 1.0)[LEVELS - k]
    assert (move.a, move.b) == (a[k], b[k])
    assert move.new**2 == pytest.approx(beta * (b[k - 1] / b[k]) ** 2, rel=1e-9)
    assert plan(LEVELS, 1.0, "large")[LEVELS - k].new ** 2 == pytest.approx(beta, rel=1e-9)
    assert move.kept**2 + move.new**2 == pytest.approx(move.b_next**2, rel=1e-12)


def test_kl_of_equal_gaussians_is_nothing():
    assert kl((1.5, 0.2), (1.5, 0.2)) == 0
    assert kl((0.0, 1.0), (1.0, 1.0)) == 0.5


@pytest.mark.parametrize(("name", "value"), [("eta", 1.1), ("steps", 0), ("added", "small"), ("data", "three bumps")])
def test_a_value_outside_is_refused(name, value):
    with pytest.raises(traitlets.TraitError, match=name):
        OneNoiseManyRoads(**{name: value})


@pytest.mark.browser
def test_the_spread_falls_with_new_noise_and_the_roads_cross(stage):
    page = stage(OneNoiseManyRoads("one bump")).page
    eta = page.get_by_label("noise η")
    before = shown(page, "spread")
    assert shown(page, "swapped") == 0
    for _ in range(4):
        eta.focus()
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        settled(page)
        assert shown(page, "spread") < before
        assert shown(page, "swapped") > 0
        before = shown(page, "spread")
    page.get_by_label("noise of a step").select_option(label="the large one")
    settled(page)
    assert shown(page, "spread") > shown(page, "truth")


@pytest.mark.browser
def test_the_handle_is_there_when_all_begin_at_one_place(stage):
    page = stage(OneNoiseManyRoads()).page
    assert not page.locator(".gpkl-handle").is_visible()
    page.get_by_role("radio", name="the same").check()
    settled(page)
    assert page.locator(".gpkl-handle").is_visible()
    assert shown(page, "apart") == 0
    ways = page.locator(".gpkl-road").evaluate_all("all => new Set(all.map((one) => one.getAttribute('d'))).size")
    assert ways == 1
