"""Heads of attention on long inputs: their tasks, their rules, and the record."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from gpkl_lib._storage import read_rows
from gpkl_lib.chapters.recorders.lengths import LENGTHS, SWEEP, Head, Task, examples, factor, fit_head, measure

RECORD = Path(__file__).parents[2] / "book/_results/lengths.jsonl"


@pytest.mark.parametrize(("task", "relevant"), [("lookup", 1), ("mean", 16), ("uneven", 16)])
def test_the_keys_that_are_asked_for_come_first_and_have_the_largest_scores(task: Task, relevant: int) -> None:
    torch.manual_seed(0)
    x = examples(task, 64, 200)
    assert x.relevant == relevant
    scores = Head(task).scores(x)
    assert scores.shape == (200, 64)
    assert scores[:, :relevant].mean() > scores[:, relevant:].mean() + 1


def test_the_values_tell_the_target() -> None:
    torch.manual_seed(0)
    x = examples("mean", 4096, 50)
    assert (x.values[:, : x.relevant, 0].mean(1) - x.target).abs().max() < 0.15
    x = examples("lookup", 64, 50)
    assert torch.equal(x.values[:, 0].argmax(-1), x.target)


def test_keys_of_an_uneven_group_differ_in_length() -> None:
    torch.manual_seed(0)
    spread = {}
    for task in ("mean", "uneven"):
        x = examples(task, 256, 50)  # type: ignore[arg-type]
        spread[task] = x.keys[:, : x.relevant].norm(dim=-1).std().item()
    assert spread["uneven"] > 2 * spread["mean"]


def test_rules_agree_at_64_and_are_one_two_and_the_root_at_4096() -> None:
    assert [factor(rule, 64) for rule in ("fixed", "root", "log")] == [1, 1, 1]
    assert [factor(rule, 4096) for rule in ("fixed", "root", "log")] == pytest.approx([1, math.sqrt(2), 2])


def test_what_is_measured_can_be_computed_by_hand() -> None:
    """A head whose scores are all 0 gives every key 1/n, and its readout is the mean of all values."""
    head = Head("mean")
    torch.nn.init.zeros_(head.query.weight)
    torch.nn.init.zeros_(head.readout.bias)
    (found,) = measure(head, "mean", 64, [3.0], batches=2)
    assert found["mass"] == 0.25
    assert found["entropy"] == pytest.approx(math.log(64), abs=1e-3)
    assert found["keys"] == pytest.approx(16, abs=1e-3)
    assert found["refitted"] < found["error"]  # the mean of all is a quarter of the target, and a factor mends that


def test_a_run_repeats_and_is_one_of_its_seed() -> None:
    runs = [fit_head("lookup", steps=3, seed=seed).query.weight for seed in (0, 0, 1)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_the_record_is_whole_and_every_seed_says_the_same() -> None:
    rows = read_rows(RECORD)
    assert len(rows) == 35
    for row in rows:
        assert row["provenance"]["dirty"] is False
        assert row["provenance"]["command"] == "python -m gpkl_lib.chapters.recorders book/_results/lengths.toml"
        assert [at["factor"] for at in row["sweep"]] == list(SWEEP)
        assert list(row["tests"]) == [str(n) for n in LENGTHS]
        assert row["tests"]["64"]["fixed"] == row["tests"]["64"]["log"]
        at = row["tests"]["4096"]
        assert at["fixed"]["mass"] < at["root"]["mass"] < at["log"]["mass"]
        if row["lengths"] == [64]:
            assert (at["log"]["error"] < at["fixed"]["error"]) == (row["task"] == "lookup")
