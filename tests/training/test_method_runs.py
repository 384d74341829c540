"""Runs of vat, uda and distillation: the same again from a seed and after a kill, and what may not change."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from method_runs import DEV, METHODS, MORE, QUICK, TRAIN, run, same, tagger_of
from runs import Killed

import gpkl_lib.training.process
from gpkl_lib._storage import CheckpointError
from gpkl_lib.corpora import Corpus
from gpkl_lib.training.history import History
from gpkl_lib.training.loop import fit
from gpkl_lib.training.process import Process


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_run_ends_like_one_left_alone(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = run(method)
    assert all(row["divergence"] > 0 and row["loss"] > row["task"] for row in whole[1])
    assert not same(whole, run(method, config={"seed": 1}))
    for fatal in (1, 4):
        steps, step = iter(range(100)), Process.step

        def dying(process: Process, rate: float, steps=steps, step=step, fatal=fatal) -> None:
            if next(steps) == fatal:
                raise Killed
            step(process, rate)

        with monkeypatch.context() as patch:
            patch.setattr(gpkl_lib.training.process.Process, "step", dying)
            with pytest.raises(Killed):
                run(method, tmp_path / str(fatal))
        assert same(whole, run(method, tmp_path / str(fatal), resume=True))
        assert [{**row, "seconds": 0} for row in History.load(tmp_path / str(fatal)).rows] == whole[1]


@pytest.mark.parametrize(
    ("method", "changes", "named"),
    [
        ("vat", {"config": {"epsilon": 0.3}}, "config.epsilon was 0.2 and is now 0.3"),
        ("uda", {"unlabelled": MORE[1:]}, "unlabelled.contents"),
        ("uda", {"config": {"divide": "confident"}}, "config.divide"),
        ("distillation", {"teacher": tagger_of(seed=8, hidden_size=20)}, "teacher was"),
        ("distillation", {"config": {"temperature": 2.0}}, "config.temperature was 'inf' and is now 2.0"),
    ],
)
def test_resuming_with_another_source_or_setting_is_refused(
    method: str, changes: dict[str, Any], named: str, tmp_path: Path
):
    run(method, tmp_path)
    assert same(run(method, tmp_path, resume=True), run(method))
    with pytest.raises(CheckpointError, match=f"cannot be resumed: {named}"):
        run(method, tmp_path, resume=True, **changes)


def test_settings_of_other_methods_are_not_the_run_s(tmp_path: Path):
    tagger = tagger_of()
    fit(tagger, TRAIN, DEV, config=replace(QUICK, method="sigmoid", epsilon=0.7), output=tmp_path, progress=False)
    kept = json.loads((tmp_path / "config.json").read_text())
    assert not {"epsilon", "temperature", "divide", "hide"} & kept["config"].keys()
    changed = replace(QUICK, method="sigmoid", epsilon=0.1, temperature=5.0)
    fit(tagger_of(), TRAIN, DEV, config=changed, output=tmp_path, resume=True, progress=False)


@pytest.mark.parametrize("method", METHODS)
def test_mixed_precision(method: str):
    losses = [run(method, config={"mixed_precision": p, "epochs": 1})[1][0]["loss"] for p in ("no", "bf16")]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.1)


def test_the_teacher_stays_what_it_was():
    teacher = tagger_of(seed=9, hidden_size=20)
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    run("distillation", teacher=teacher)
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items())
    assert teacher.training
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_a_student_comes_nearer_to_its_teacher():
    """With hardly any weight on the gold spans it ends up deciding like an untrained teacher that favours some."""
    teacher = tagger_of(seed=9, hidden_size=20)
    with torch.no_grad():
        teacher.head.projection.weight.mul_(3)
    batch = teacher.collate(TRAIN.sentences)
    wanted = teacher.eval()(batch)
    spans = wanted > torch.finfo(wanted.dtype).min
    student, gaps = tagger_of(dropout=0.0, word_dropout=0.0), []
    for _ in range(2):
        gaps.append((student.eval()(student.collate(TRAIN.sentences)) - wanted)[spans].square().mean().item())
        config = replace(QUICK, **METHODS["distillation"], alpha=100.0, alpha_warmup=0.0, epochs=15)
        fit(student, TRAIN, TRAIN, config=config, teacher=teacher, progress=False)
    assert gaps[1] < gaps[0] / 2


def test_a_corpus_that_is_empty_or_not_asked_for():
    with pytest.raises(ValueError, match="unlabelled has no sentence"):
        run("uda", unlabelled=Corpus("empty", []))
    with pytest.raises(ValueError, match="method 'vat' has no use for teacher"):
        run("vat", teacher=tagger_of())
