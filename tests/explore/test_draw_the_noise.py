"""Draw the noise in a browser: draws that come by a click, and pairs of winners that never come."""

import pytest
import traitlets
from explorable_page import settled, shown

from gpkl_lib.explore import DrawTheNoise
from gpkl_lib.noise import NOISES

PAIR = ((1, 0, -1), (0, 0.5, 0.3))


def cells(page):
    """The texts of the nine cells, row by row: what the pair adds, and how often it came."""
    texts = page.locator('[aria-label="Pairs of winners"] > text').all_text_contents()
    return [tuple(texts[2 * k : 2 * k + 2]) for k in range(9)]


@pytest.mark.browser
def test_a_click_draws_more_up_to_a_limit_and_the_share_comes_closer(stage):
    page = stage(DrawTheNoise()).page
    more, gaps = page.get_by_role("button", name="Draw 200 more"), []
    for count in range(200, 4001, 200):
        gaps.append(abs(shown(page, "drawn") - shown(page, "exact")))
        assert page.get_by_text(str(count), exact=True).count() == 1
        assert more.is_enabled() == (count < 4000)
        if count < 4000:
            more.click()
            settled(page)
    assert max(gaps[15:]) < 0.02


@pytest.mark.browser
def test_no_noise_fills_a_cell_that_would_count_negative(stage):
    page = stage(DrawTheNoise(*PAIR, draws=4000)).page
    for noise in NOISES:
        page.get_by_role("combobox", name="noise").select_option(noise)
        settled(page)
        found = cells(page)
        assert [text for text, _ in found if text == "agree"] == ["agree"] * 3
        negative = [share for weight, share in found if weight.startswith("−")]
        assert negative == ["never"] * 3
        assert shown(page, "least") == 0
        assert sum(float(share.split()[0]) for _, share in found if share != "never") == pytest.approx(100, abs=0.5)
        apart = sum(float(share.split()[0]) for weight, share in found if weight.startswith("+"))
        assert apart == pytest.approx(100 * shown(page, "apart"), abs=0.2)


@pytest.mark.browser
def test_a_tie_of_two_differences_is_no_negative_pair(stage):
    """(1.1 - 1) and (0.1 - 0) differ by rounding alone."""
    found = cells(stage(DrawTheNoise((1.1, 0.1, -3), (1, 0, 2))).page)
    assert found[1][0] == found[3][0] == "0.00"
    assert "never" not in (found[1][1], found[3][1])


@pytest.mark.browser
def test_a_second_view_may_come_and_go(stage):
    visit = stage(DrawTheNoise(), DrawTheNoise(*PAIR))
    one, two = visit.page.locator("gpkl-explorable").all()
    for part, handles, panel in ((one, 3, "Shares and probabilities"), (two, 6, "Pairs of winners")):
        assert part.locator(".gpkl-handle").count() == handles
        seen = [p.get_attribute("aria-label") for p in part.locator(".gpkl-plot").all() if p.is_visible()]
        assert seen == ["Scores", panel]
    assert visit.errors == []


@pytest.mark.parametrize("t", [(1,), (1, 2), (1, 2, 3, 4)])
def test_a_view_has_three_scores_or_none(t):
    with pytest.raises(traitlets.TraitError, match="t must hold three scores or none"):
        DrawTheNoise((1, 0, -1), t)


def test_draws_are_always_the_same_and_more_of_them_go_on():
    first, again, more = (DrawTheNoise(draws=n).values()["drawn"] for n in (200, 200, 400))
    assert first == again != more
    assert abs(400 * more - 200 * first - 200 * 0.665) < 40
