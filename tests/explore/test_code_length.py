"""Code length in a browser: zeros and infinity, mass that is moved, and the class's own complaints."""

import math

import pytest
import traitlets
from explorable_page import run_line, settled, shown

from gpkl_lib.explore import CodeLength
from gpkl_lib.explore.code_length import cross_entropy, entropy, jensen_shannon, kl

browser = pytest.mark.browser


def press(page, name, *keys):
    page.get_by_role("slider", name=name, exact=True).focus()
    for key in keys:
        page.keyboard.press(key)
    settled(page)


@browser
def test_a_zero_makes_one_direction_infinite_and_a_little_smoothing_cures_it(stage):
    page = stage(CodeLength()).page
    press(page, "q₄", "Home")
    assert [shown(page, key) for key in ("forward", "cross", "jeffreys", "forward_bits")] == [math.inf] * 4
    assert page.locator('data[data-key="forward"]').inner_text() == "∞"
    assert page.locator(".gpkl-plot text", has_text="∞").count() >= 2  # over the column and beside the bar
    assert run_line(page) == math.inf
    assert 0 < shown(page, "backward") < 1
    assert 0 < shown(page, "js") < math.log(2)
    page.get_by_label("spread evenly in q: ε").fill("0.005")
    settled(page)
    assert 0 < shown(page, "forward") < math.inf
    assert run_line(page) == pytest.approx(shown(page, "forward"), rel=1e-12)
    assert page.locator(".gpkl-plot text", has_text="∞").count() == 0


@browser
def test_mass_stays_1_and_what_is_gone_comes_back_evenly(stage):
    page = stage(CodeLength()).page
    handles = [page.get_by_role("slider", name=f"p{i}", exact=True) for i in "₁₂₃₄"]

    def present():
        return [float(one.get_attribute("aria-valuenow")) for one in handles]

    for name, key in (("p₂", "PageUp"), ("p₂", "ArrowDown"), ("p₁", "Home"), ("p₃", "End"), ("p₃", "PageDown")):
        press(page, name, key)
        assert sum(present()) == pytest.approx(1, abs=1e-12)
    assert present()[2] == 0.9
    assert present()[0] == present()[3] or max(present()[:2] + present()[3:]) <= 0.033334
    assert shown(page, "entropy") > 0


@browser
def test_nothing_in_common_is_one_bit_apart(stage):
    page = stage(CodeLength()).page
    page.get_by_label("start from").select_option(label="nothing in common")
    settled(page)
    assert shown(page, "js_bits") == pytest.approx(1, rel=1e-15)
    assert shown(page, "forward") == shown(page, "backward") == math.inf
    page.get_by_role("radio", name="nats").check()
    settled(page)
    assert page.get_by_text("length, nats").count() == 1


@browser
def test_a_handle_of_q_stands_where_the_smoothed_q_is(stage):
    page = stage(CodeLength([0.5, 0.5], [1, 0], smoothing=0.2)).page
    knob = page.get_by_role("slider", name="q₂", exact=True)
    assert [float(knob.get_attribute(f"aria-value{x}")) for x in ("min", "now", "max")] == pytest.approx(
        [0.1, 0.1, 0.9]
    )
    press(page, "q₂", "PageUp")
    assert float(knob.get_attribute("aria-valuenow")) == pytest.approx(0.2)
    assert shown(page, "forward") == pytest.approx(CodeLength([0.5, 0.5], [0.8, 0.2]).values()["forward"], rel=1e-9)


@pytest.mark.parametrize(
    ("p", "q", "message"),
    [
        ([0.5, 0.6], [0.5, 0.5], r"p must add up to 1, got 1\.1"),
        ([0.5, 0.5], [1.5, -0.5], r"q must hold probabilities between 0 and 1, got 1\.5"),
        ([1.0], [1.0], "[pq] must hold 2 to 6 probabilities, got 1"),
        ([math.nan, 1.0], [0.5, 0.5], "p must hold probabilities between 0 and 1, got nan"),
    ],
)
def test_what_is_no_distribution_is_refused(p, q, message):
    with pytest.raises(traitlets.TraitError, match=message):
        CodeLength(p, q)


def test_other_complaints():
    with pytest.raises(ValueError, match="as many probabilities, got 2 and 3"):
        CodeLength([0.5, 0.5], [0.2, 0.3, 0.5])
    with pytest.raises(traitlets.TraitError, match=r"smoothing must lie between 0 and 0\.5"):
        CodeLength(smoothing=0.7)
    with pytest.raises(traitlets.TraitError):
        CodeLength(unit="bytes")


def test_zeros_by_hand():
    half, two = [0.5, 0.5, 0.0], math.log(2)
    assert entropy([1.0, 0.0]) == 0
    assert entropy(half) == pytest.approx(two, rel=1e-15)
    assert cross_entropy([1.0, 0.0], [1.0, 0.0]) == 0
    assert cross_entropy([0.0, 1.0], [1.0, 0.0]) == math.inf
    assert kl([0.0, 1.0, 0.0], half) == pytest.approx(two, rel=1e-15)
    assert kl(half, [0.0, 1.0, 0.0]) == math.inf
    assert kl(half, half) == jensen_shannon(half, half) == 0
    assert jensen_shannon([1.0, 0.0], [0.5, 0.5]) == pytest.approx(1.5 * two - 0.75 * math.log(3), rel=1e-14)


def test_close_probabilities_keep_their_digits():
    """KL of (1/2 + d, 1/2 - d) from (1/2, 1/2) is 2 d^2 + 4 d^4 / 3 + ..."""
    for d in (2.0**-10, 2.0**-20, 2.0**-26):
        wanted = 2 * d**2 + 4 * d**4 / 3 + 32 * d**6 / 15
        assert kl([0.5 + d, 0.5 - d], [0.5, 0.5]) == pytest.approx(wanted, rel=1e-14)
