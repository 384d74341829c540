"""What Training, replayed alone promises: scrubbing by mouse over the curves, boards that follow, what it refuses."""

import pytest
import traitlets
from explorable_page import settled, shown
from specimen import SPECIMENS

from gpkl_lib.explore import TrainingReplayed
from gpkl_lib.explore.recorded.replays import load_replays

FIRST = SPECIMENS["training_replayed"].settings[0]
REPLAYS = list(FIRST.replays.values())


@pytest.mark.browser
@pytest.mark.parametrize("name", ["Loss by epoch", "F1 by epoch"])
def test_dragging_across_a_curve_scrubs(stage, name):
    page = stage(FIRST).page
    box = page.get_by_role("group", name=name).bounding_box()
    last = len(REPLAYS[0].epochs)
    page.mouse.move(box["x"] + 2, box["y"] + 40)
    page.mouse.down()
    for epoch in (1, 4, last):
        page.mouse.move(box["x"] + box["width"] * (epoch - 1) / (last - 1), box["y"] + 60, steps=3)
        settled(page)
        assert shown(page, "f1") == REPLAYS[0].epochs[epoch - 1].f1
        assert page.get_by_label("after epoch").input_value() == str(epoch)
    page.mouse.move(box["x"] + 3 * box["width"], box["y"] + 60)  # beyond the plot: the last epoch
    settled(page)
    assert shown(page, "f1") == REPLAYS[0].epochs[-1].f1
    page.mouse.up()


@pytest.mark.browser
def test_the_boards_say_what_is_decided_and_what_is_missed(stage):
    page = stage(FIRST).page
    for method, epoch in (("none", 1), ("sigmoid", 2), ("softmax", len(REPLAYS[0].epochs))):
        page.locator(".gpkl-segments label").filter(has_text=method).click()
        page.get_by_label("after epoch").fill(str(epoch))
        settled(page)
        replay = next(r for r in REPLAYS if r.method == method)
        decided = set(replay.decided(epoch))
        for kind in replay.types:
            told = page.get_by_role("img", name=f"{kind}: ").get_attribute("aria-label")
            for span in {*decided, *replay.gold}:
                words = " ".join(replay.tokens[span[1] : span[2]])
                sign = ("✓" if span in replay.gold else "✗") if span in decided else "○"
                assert (f"{sign} {words}" in told) == (span[0] == kind) or words in told
        assert shown(page, "sentence_f1") == replay.result(epoch).f1


def test_what_was_not_recorded_is_refused():
    with pytest.raises(traitlets.TraitError, match="method must be one of none, sigmoid, softmax, got 'squared'"):
        TrainingReplayed(REPLAYS, method="squared")
    for epoch in (0, len(REPLAYS[0].epochs) + 1):
        with pytest.raises(traitlets.TraitError, match=f"epoch must lie between 1 and .*, got {epoch}"):
            TrainingReplayed(REPLAYS, epoch=epoch)
    with pytest.raises(ValueError, match="two to four of distinct methods, got none, none"):
        TrainingReplayed([REPLAYS[0], REPLAYS[0]])
    other = SPECIMENS["training_replayed"].settings[-1].replays["softmax"]
    with pytest.raises(ValueError, match="of one sentence"):
        TrainingReplayed([REPLAYS[0], other])


def test_a_record_that_is_none_is_named_with_its_line(tmp_path):
    path = tmp_path / "replay.jsonl"
    path.write_text('{"tokens": ["Basel"], "types": ["place"], "gold": []}\n', "utf-8")
    with pytest.raises(ValueError, match=r"replay\.jsonl:1: not a record of a training: KeyError\('epochs'\)"):
        load_replays(path)
