"""How many of how many? in a browser: which bar stays where the keys become more."""

import pytest
import torch
import traitlets
from explorable_page import settled, shown

from gpkl_lib import softmax
from gpkl_lib.explore import HowManyOfHowMany
from gpkl_lib.explore.how_many_of_how_many import relevant_mass

RULES = ("fixed", "log", "exact")


def masses(page):
    settled(page)
    return [shown(page, rule) for rule in RULES]


@pytest.mark.browser
def test_a_fixed_number_loses_its_mass_and_a_fixed_share_keeps_it(stage):
    page = stage(HowManyOfHowMany()).page
    assert masses(page) == pytest.approx([0.9] * 3)
    page.get_by_label("keys n").fill("12")
    assert masses(page) == pytest.approx([0.1216, 0.9874, 0.9], abs=5e-5)
    page.get_by_label("fixed share", exact=True).check()
    fixed, log, exact = masses(page)
    assert fixed == pytest.approx(exact) == pytest.approx(0.9)
    assert log > 0.99
    assert shown(page, "keys") == 64


@pytest.mark.browser
def test_dragging_across_sets_n(stage):
    page = stage(HowManyOfHowMany()).page
    box = page.locator(".gpkl-across").bounding_box()
    seen = []
    for share in (0.2, 0.6, 1.0):
        page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 60, steps=4)
        page.mouse.up()
        settled(page)
        n = int(page.get_by_label("keys n").get_attribute("aria-valuetext"))
        assert n == pytest.approx(2 ** (6 + 10 * share), rel=0.02)
        seen.append(shown(page, "fixed"))
    assert seen == sorted(seen, reverse=True)


@pytest.mark.browser
def test_keys_move_n_by_quarter_powers_and_reset_comes_back(stage):
    page = stage(HowManyOfHowMany(128)).page
    page.get_by_label("keys n").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        settled(page)
    assert page.get_by_label("keys n").get_attribute("aria-valuetext") == "256"
    page.get_by_role("button", name="Reset").click()
    settled(page)
    assert page.get_by_label("keys n").get_attribute("aria-valuetext") == "128"


def test_the_mass_is_that_of_a_softmax_with_k_leaders():
    scores = torch.zeros(300, dtype=torch.float64)
    scores[:7] = 4.0
    assert relevant_mass(300, 7, 4.0) == pytest.approx(softmax(scores)[:7].sum().item(), rel=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 63}, "length must lie between 64"),
        ({"relevant": 0}, "relevant must lie between 1 and 32"),
        ({"relevant": 33}, "relevant must lie between 1 and 32"),
        ({"mass": 1.0}, "mass must lie between 0.5"),
    ],
)
def test_what_it_refuses(options, message):
    with pytest.raises(traitlets.TraitError, match=message):
        HowManyOfHowMany(**options)
