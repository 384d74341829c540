"""Runs of vat, uda and distillation: the same again from a seed, after a kill, and shared by two processes."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_methods import make_tiny_encoder
from torch import Tensor

import gpkl_lib.training.process
from gpkl_lib._storage import CheckpointError
from gpkl_lib.corpora import Corpus, toy_corpus
from gpkl_lib.tagger.tagger import Tagger
from gpkl_lib.training.batching import StepBatches
from gpkl_lib.training.history import History
from gpkl_lib.training.loop import TrainingConfig, fit, training_loss
from gpkl_lib.training.process import Process, accelerator

TRAIN, DEV, MORE = toy_corpus(20), toy_corpus(8, split="dev"), toy_corpus(60)[20:]
SMALL = {"word_size": 8, "character_size": 4, "hidden_size": 12, "head_size": 8}
QUICK = TrainingConfig(epochs=2, batch_size=8, device="cpu", learning_rate=0.01, checkpoint_seconds=0)
METHODS = {
    "vat": {"method": "vat", "epsilon": 0.2},
    "uda": {"method": "uda", "threshold": 0.0, "unlabelled_ratio": 2},
    "distillation": {"method": "distillation", "temperature": math.inf},
}


def tagger_of(**settings: Any) -> Tagger:
    return Tagger.from_scratch(TRAIN.sentences, TRAIN.types, **{**SMALL, **settings})


def sources(method: str) -> dict[str, Any]:
    """What the method learns from besides."""
    if method == "uda":
        return {"unlabelled": MORE}
    return {"teacher": tagger_of(seed=9, hidden_size=20)} if method == "distillation" else {}


def run(method: str, output: Path | None = None, **changes: Any) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """Weights and history, without the seconds."""
    settings = {**METHODS[method], **changes.pop("config", {})}
    tagger, given = tagger_of(), {**sources(method), **changes}
    history = fit(tagger, TRAIN, DEV, config=replace(QUICK, **settings), output=output, progress=False, **given)
    return tagger.state_dict(), [{**row, "seconds": 0} for row in history.rows]


def same(a: tuple[Any, Any], b: tuple[Any, Any]) -> bool:
    return a[1] == b[1] and all(torch.equal(a[0][name], b[0][name]) for name in a[0])


class Killed(BaseException):
    """Stands for SIGKILL: nothing but the test catches it."""


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


# Two processes


SCRIPT = """
import sys, torch
sys.path.insert(0, {tests!r})
from test_training_methods import METHODS, QUICK, one_step, replace, tagger_of, Tagger, TRAIN
from gpkl_lib.training.process import accelerator, Process

output = sys.argv[1]
with accelerator("cpu") as accelerate:
    assert accelerate.num_processes == 2
    for method, settings in METHODS.items():
        pieces = Tagger.from_encoder({encoder!r}, TRAIN.types, head_size=4)
        for kind, tagger in (("words", tagger_of()), ("pieces", pieces)):
            config = replace(QUICK, **settings, gradient_clip=None)
            process = Process(accelerate, tagger, config)
            for step in (7, 8):  # a second one finds the wrapper as it should be
                found = one_step(process, config, method, step)
            torch.save(found, f"{{output}}/{{method}}-{{kind}}-{{process.rank}}.pt")
torch.distributed.destroy_process_group()
"""


def one_step(process: Process, config: TrainingConfig, method: str, step: int) -> list[Tensor]:
    """The gradients of a step on five sentences, as `fit` makes them: this process has three or two of the five."""
    given = sources(method)
    steps = StepBatches(process.tagger, TRAIN, config, given.get("unlabelled"), given.get("teacher"))
    share, weight = process.share(steps.examples(TRAIN.sentences[:5], step))
    batch, target = steps.collate(share, process.device)
    process.model.train()
    process.seed(0, step)
    process.backward(training_loss(process, batch, config, 1.0, target).loss * weight)
    return [parameter.grad.clone() for parameter in process.tagger.parameters() if parameter.grad is not None]


@pytest.mark.slow
def test_two_processes_share_the_gradients_of_every_method(tmp_path: Path):
    """Gloo. Both end with the mean of what each would have alone, dropout, directions and altered copies included."""
    pytest.importorskip("transformers", reason="needs the extra transformers")
    (tmp_path / "encoder").mkdir()
    encoder = str(make_tiny_encoder(tmp_path / "encoder"))
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent), encoder=encoder))
    launcher = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "0", "--standalone")
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, *launcher, str(script), str(tmp_path)]
    child = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert child.returncode == 0, child.stderr
    with accelerator("cpu") as accelerate:
        for method, settings in METHODS.items():
            config = replace(QUICK, **settings, gradient_clip=None)
            for kind in ("words", "pieces"):
                ranks = [torch.load(tmp_path / f"{method}-{kind}-{rank}.pt", weights_only=True) for rank in (0, 1)]
                alone = []
                for rank in (0, 1):
                    words = kind == "words"
                    tagger = tagger_of() if words else Tagger.from_encoder(encoder, TRAIN.types, head_size=4)
                    process = Process(accelerate, tagger, config)
                    process.rank, process.count = rank, 2
                    alone.append(one_step(process, config, method, 8))
                assert len(alone[0]) == len(ranks[0])
                for first, second, one, other in zip(*ranks, *alone, strict=True):
                    assert torch.equal(first, second)
                    torch.testing.assert_close(first, (one + other) / 2, rtol=1e-4, atol=1e-6)
