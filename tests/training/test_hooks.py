"""What `fit` tells who listens, and how it is stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gpkl_lib.corpora import toy_corpus
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import History, Progress, TrainingConfig, fit

TRAIN, DEV = toy_corpus(20), toy_corpus(8, split="dev")
QUICK = TrainingConfig(method="sigmoid", epochs=3, batch_size=8, device="cpu", learning_rate=0.01)


def small_tagger() -> Tagger:
    sizes = {"word_size": 8, "character_size": 4, "hidden_size": 12, "head_size": 8}
    return Tagger.from_scratch(TRAIN.sentences, TRAIN.types, **sizes)


def test_listeners_hear_every_step_and_every_epoch_and_change_nothing() -> None:
    tagger, steps, epochs = small_tagger(), [], []

    def hear(history: History) -> None:
        torch.rand(3)  # a listener may draw: dropout follows from the step
        epochs.append((len(history), history.rows[-1]["step"], tagger.predict(DEV.sentences)))

    history = fit(tagger, TRAIN, DEV, config=QUICK, progress=False, on_step=steps.append, on_epoch=hear)
    assert [at.step for at in steps] == list(range(1, 10))
    assert {at.steps for at in steps} == {9}
    assert [at.epoch for at in steps] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert [at.f1 for at in steps[2:4]] == [None, history.rows[0]["f1"]]
    assert steps[2] == Progress(3, 9, 1, history.rows[0]["loss"], None)
    assert [(count, step) for count, step, _ in epochs] == [(1, 3), (2, 6), (3, 9)]
    alone = small_tagger()
    other = fit(alone, TRAIN, DEV, config=QUICK, progress=False)
    assert [row["loss"] for row in other.rows] == [row["loss"] for row in history.rows]
    assert all(torch.equal(a, b) for a, b in zip(tagger.parameters(), alone.parameters(), strict=True))


def test_an_epoch_is_on_the_disk_before_it_is_told(tmp_path: Path) -> None:
    def hear(history: History) -> None:
        assert History.load(tmp_path).rows == history.rows
        assert (tmp_path / "checkpoint" / "state.safetensors").exists()
        raise RuntimeError("the listener fails")

    with pytest.raises(RuntimeError, match="the listener fails"):
        fit(small_tagger(), TRAIN, DEV, config=QUICK, output=tmp_path, progress=False, on_epoch=hear)
    assert len(fit(small_tagger(), TRAIN, DEV, config=QUICK, output=tmp_path, progress=False, resume=True)) == 3


@pytest.mark.parametrize("last", [1, 3, 5])  # in the first epoch, at its end, in the second
def test_stopped_it_has_the_best_weights_so_far_and_goes_on_as_if_nothing_had_been(last: int, tmp_path: Path) -> None:
    steps: list[Progress] = []
    tagger = small_tagger()
    before = [parameter.clone() for parameter in tagger.parameters()]
    history = fit(
        tagger,
        TRAIN,
        DEV,
        config=QUICK,
        output=tmp_path,
        progress=False,
        on_step=steps.append,
        should_stop=lambda: len(steps) == last,
    )
    assert len(steps) == last
    assert len(history) == last // 4
    assert not tagger.training
    assert not all(torch.equal(a, b) for a, b in zip(before, tagger.parameters(), strict=True))
    assert (tmp_path / "scores.json").exists() == (last > 3)
    resumed, whole = small_tagger(), small_tagger()
    rows = fit(resumed, TRAIN, DEV, config=QUICK, output=tmp_path, resume=True, progress=False).rows
    wanted = fit(whole, TRAIN, DEV, config=QUICK, progress=False).rows
    for row, other in zip(rows, wanted, strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}
    assert all(torch.equal(a, b) for a, b in zip(resumed.parameters(), whole.parameters(), strict=True))
