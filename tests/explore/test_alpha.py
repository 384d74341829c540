"""Alpha in a browser: dragging across, which curves are drawn beside which; and the records that it refuses."""

import itertools
import re
from pathlib import Path
from statistics import fmean

import pytest
import traitlets
from explorable_page import settled, shown

from gpkl_lib._storage import read_rows
from gpkl_lib.explore import Alpha

RECORD = read_rows(Path(__file__).parents[2] / "book/_results/toy-alpha.jsonl")
ALPHAS = sorted({row["config"]["alpha"] for row in RECORD})


def rows(method, alpha, warm=False):
    return [
        row
        for row in RECORD
        if (row["config"]["method"], row["config"]["alpha"], row["config"]["alpha_warmup"] > 0) == (method, alpha, warm)
    ]


def path(page, panel, k):
    """The numbers of the k-th curve of a panel: the seeds of the others, of the chosen, and the two means."""
    drawn = page.locator(f".gpkl-panel:nth-child({panel}) path.gpkl-curve").nth(k).get_attribute("d")
    return [float(y) for _, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", drawn)]


@pytest.mark.browser
def test_dragging_across_goes_from_weight_to_weight(stage):
    page = stage(Alpha(RECORD)).page
    box = page.locator(".gpkl-across").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 100)
    page.mouse.down()
    seen = []
    for share in range(0, 101, 4):
        page.mouse.move(box["x"] + share / 100 * box["width"], box["y"] + 90)
        settled(page)
        seen.append(int(page.get_by_label("weight α").input_value()))
    page.mouse.up()
    assert sorted(set(seen)) == list(range(len(ALPHAS)))
    assert seen == sorted(seen)


@pytest.mark.browser
def test_curves_are_those_recorded_beside_the_right_rival(stage):
    last = max(ALPHAS)
    page = stage(Alpha(RECORD, last, lower="divergence")).page
    for panel, k, key, found in (
        (2, 2, "f1", rows("none", 0.0)),
        (2, 3, "f1", rows("sigmoid", last)),
        (3, 2, "divergence", rows("sigmoid", 0.0)),
        (3, 3, "divergence", rows("sigmoid", last)),
    ):
        values = [fmean(column) for column in zip(*(row["history"][key] for row in found), strict=True)]
        heights = path(page, panel, k)
        assert len(heights) == len(values)
        # a higher number is drawn higher up, everywhere
        order = sorted(range(len(values)), key=values.__getitem__)
        assert all(heights[a] >= heights[b] - 0.02 for a, b in itertools.pairwise(order))
    page.get_by_label("CE").check()
    settled(page)
    assert "one view" in page.locator(".gpkl-panel:nth-child(3) .gpkl-label").inner_text()


@pytest.mark.browser
def test_weight_0_is_two_views_with_or_without_the_warm_up(stage):
    page = stage(Alpha(RECORD, 0.0)).page
    before = shown(page, "mean")
    assert before == pytest.approx(fmean(row["dev"]["f1"] for row in rows("sigmoid", 0.0)))
    page.get_by_label("on", exact=True).check()
    settled(page)
    assert shown(page, "mean") == before


def test_what_it_refuses():
    with pytest.raises(traitlets.TraitError, match=r"alpha must be one of 0, .*, got 0\.07"):
        Alpha(RECORD, 0.07)
    with pytest.raises(traitlets.TraitError):
        Alpha(RECORD, lower="loss")
    one = [row for row in RECORD if row["config"]["seed"] == 0]
    no_plain = [row for row in RECORD if row["config"]["method"] != "none"]
    always_warm = [row for row in RECORD if not row["config"]["alpha"] or row["config"]["alpha_warmup"]]
    another = [*RECORD, {"config": {**RECORD[0]["config"], "method": "softmax"}}]
    for broken in ([], one, no_plain, always_warm, another):
        with pytest.raises(ValueError, match="rows must hold methods none and sigmoid"):
            Alpha(broken)
    with pytest.raises(ValueError, match="every run must have the seeds"):
        Alpha(RECORD[1:])
