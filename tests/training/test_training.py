"""Training: the loss of a step, the loop, and runs that are killed, broken off, resumed and shared."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import gpkl_lib._storage
import gpkl_lib.training.loop
import gpkl_lib.training.process
from gpkl_lib._storage import CheckpointError
from gpkl_lib.corpora import Batch, Corpus, Sentence, toy_corpus
from gpkl_lib.spans import SpanScores
from gpkl_lib.tagger.tagger import Tagger
from gpkl_lib.training.history import History
from gpkl_lib.training.loop import TrainingConfig, TrainingError, evaluate, fit, training_loss

TRAIN, DEV = toy_corpus(20), toy_corpus(8, split="dev")
SMALL = {"word_size": 8, "character_size": 4, "hidden_size": 12, "head_size": 8}
QUICK = TrainingConfig(method="sigmoid", epochs=2, batch_size=8, device="cpu", learning_rate=0.01, checkpoint_seconds=0)


def small_tagger(**settings):
    return Tagger.from_scratch(TRAIN.sentences, TRAIN.types, **{**SMALL, **settings})


def train(output=None, config=QUICK, *, corpus=TRAIN, dev=DEV, resume=False, **settings):
    tagger = small_tagger(**settings)
    return tagger, fit(tagger, corpus, dev, config=config, output=output, resume=resume, progress=False)


def weights(tagger):
    return {name: tensor.clone() for name, tensor in tagger.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def without_seconds(history):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history.rows]


@pytest.fixture(scope="module")
def alone():
    """Weights and history of a run that nobody disturbed."""
    tagger, history = train()
    return weights(tagger), without_seconds(history)


def assert_resumes_like(alone, output, config=QUICK):
    tagger, history = train(output, config, resume=True)
    assert without_seconds(history) == alone[1]
    assert without_seconds(History.load(output)) == alone[1]
    assert same(weights(tagger), alone[0])
    assert same(weights(Tagger.load(output / "best")), alone[0])


# The loss of a step


def fake_batch(lengths, positives=()):
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return Batch(
        {"x": torch.arange(len(lengths))[:, None]}, mask, torch.tensor(positives, dtype=torch.long).view(-1, 4)
    )


def two_fixed_views(first, second):
    calls = []

    def model(batch):
        calls.append(batch)
        return torch.cat([first, second])

    return model, calls


def valid_cells(lengths):
    return [[(i, j) for i in range(length) for j in range(i, length)] for length in lengths]


@pytest.mark.parametrize("method", ["sigmoid", "softmax", "squared"])
def test_the_loss_is_the_mean_of_both_views_and_a_quarter_alpha_of_the_divergence(method):
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(2, 3, 4, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    batch = fake_batch([4, 2], [(0, 1, 0, 2), (1, 2, 0, 0)])
    model, calls = two_fixed_views(first, second)
    losses = training_loss(model, batch, TrainingConfig(method=method, alpha=0.8))
    assert len(calls) == 1  # both views in one forward pass
    assert calls[0].inputs["x"].flatten().tolist() == [0, 1, 0, 1]
    assert calls[0].attention_mask.shape == (4, 4)
    divergence = task = 0.0
    for b, cells in enumerate(valid_cells([4, 2])):
        for h in range(3):
            s, t = (torch.stack([view[b, h, i, j] for i, j in cells]) for view in (first, second))
            f = {"sigmoid": torch.sigmoid, "softmax": lambda x: x.softmax(0), "squared": lambda x: x}[method]
            divergence += float(((f(s) - f(t)) * (s - t)).sum()) / 6
            gold = torch.tensor([[b, h, i, j] in batch.positives.tolist() for i, j in cells])
            for view in (s, t):
                task += math.log1p(float(view[~gold].exp().sum())) / 12
                task += math.log1p(float((-view[gold]).exp().sum())) / 12
    assert float(losses.divergence) == pytest.approx(divergence, rel=1e-9)
    assert float(losses.task) == pytest.approx(task, rel=1e-9)
    assert float(losses.loss) == pytest.approx(task + 0.2 * divergence, rel=1e-9)


def test_without_a_method_there_is_one_view():
    model, calls = two_fixed_views(torch.zeros(1, 2, 3, 3), torch.zeros(0, 2, 3, 3))
    losses = training_loss(model, fake_batch([3]), TrainingConfig(method="none", alpha=9.0))
    assert len(calls[0]) == 1
    assert float(losses.loss) == float(losses.task) == pytest.approx(math.log(7))


def test_garbage_in_padding_changes_nothing():
    first, second = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    batch = fake_batch([4, 2], [(1, 0, 0, 1)])
    config = TrainingConfig(method="softmax")
    clean = training_loss(two_fixed_views(first, second)[0], batch, config)
    first[1, :, :, 2:], second[1, :, 3] = 1e30, -1e30
    assert torch.equal(clean.loss, training_loss(two_fixed_views(first, second)[0], batch, config).loss)


# The loop


def test_it_learns_by_heart_what_it_is_shown():
    corpus = toy_corpus(12)
    tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=64, dropout=0.1, head_size=32)
    config = TrainingConfig(epochs=30, batch_size=4, learning_rate=0.01, device="cpu")
    history = fit(tagger, corpus, corpus, config=config, progress=False)
    assert history.best["f1"] > 0.9
    assert evaluate(tagger, corpus).f1 == history.best["f1"]
    assert history.rows[-1]["loss"] < history.rows[0]["loss"] / 5


def test_one_seed_gives_one_result_and_leaves_torch_alone(alone):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    tagger, history = train()
    assert torch.equal(torch.get_rng_state(), before)
    assert same(weights(tagger), alone[0])
    assert without_seconds(history) == alone[1]
    assert not same(weights(train(config=replace(QUICK, seed=1))[0]), alone[0])


def test_the_two_views_differ_and_their_divergence_is_logged(alone):
    assert all(row["divergence"] > 0 and row["loss"] > row["task"] for row in alone[1])
    row = train(config=replace(QUICK, method="none", epochs=1))[1].rows[0]
    assert row["divergence"] is None
    assert row["loss"] == row["task"]
    quiet = train(config=replace(QUICK, epochs=1), dropout=0.0, word_dropout=0.0)[1].rows[0]
    assert quiet["divergence"] == pytest.approx(0, abs=1e-9)


def test_learning_rate_and_alpha_warm_up():
    config = TrainingConfig(alpha=2.0, alpha_warmup=0.5, warmup=0.1)
    assert [config.alpha_at(x) for x in (0, 0.25, 0.5, 1)] == [0, 1, 2, 2]
    assert [config.rate_at(x) for x in (0, 0.05, 0.1, 0.55, 1)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    without = TrainingConfig(alpha=2.0, alpha_warmup=0, warmup=0)
    assert without.alpha_at(0.0) == 2
    assert without.rate_at(0.0) == 1
    rows = train(config=replace(QUICK, alpha=2.0, alpha_warmup=1.0))[1].rows
    assert [row["alpha"] for row in rows] == pytest.approx([2 * 2.5 / 6, 2 * 5.5 / 6])


def test_the_gradient_is_clipped_and_the_rates_follow_the_schedule(monkeypatch):
    seen = []
    step = torch.optim.AdamW.step

    def spy(self, *args, **kwargs):
        grads = [w.grad for group in self.param_groups for w in group["params"] if w.grad is not None]
        seen.append((float(torch.cat([g.flatten() for g in grads]).norm()), self.param_groups[0]["lr"]))
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", spy)
    train(config=replace(QUICK, gradient_clip=0.01, warmup=0.5))
    assert all(norm == pytest.approx(0.01, rel=1e-3) for norm, _ in seen)
    assert [rate for _, rate in seen] == pytest.approx([0.01 * x / 6 for x in (1, 3, 5, 5, 3, 1)])


def test_pretrained_weights_learn_slowly_and_vectors_do_not_decay(monkeypatch):
    tagger = small_tagger()
    pretrained, new = list(tagger.encoder.parameters()), list(tagger.head.parameters())
    monkeypatch.setattr(tagger, "parameter_groups", lambda: (pretrained, new))
    groups = gpkl_lib.training.process._parameter_groups(tagger, TrainingConfig(weight_decay=0.3))
    assert sum(len(group["params"]) for group in groups) == len(list(tagger.parameters()))
    for group in groups:
        expected = TrainingConfig().encoder_learning_rate if group["lr"] < 1e-3 else TrainingConfig().learning_rate
        for weight in group["params"]:
            assert group["lr"] == expected
            assert (expected == TrainingConfig().learning_rate) == any(weight is w for w in new)
            assert group["weight_decay"] == (0.3 if weight.ndim > 1 else 0.0)


def scripted(monkeypatch, f1s):
    scores = iter([SpanScores(round(100 * f1), 100, 100) for f1 in f1s])
    monkeypatch.setattr(gpkl_lib.training.loop, "_evaluate_together", lambda *_: next(scores))


def test_patience_stops_and_the_best_weights_stay(monkeypatch, tmp_path):
    scripted(monkeypatch, [0, 0, 0, 0.5, 0.7, 0.6, 0.7, 0.9])
    tagger, history = train(tmp_path / "run", replace(QUICK, epochs=8, patience=2))
    assert [row["f1"] for row in history.rows] == [0, 0, 0, 0.5, 0.7, 0.6, 0.7]  # no patience lost while F1 is 0
    assert history.best["epoch"] == 5
    assert not tagger.training
    scripted(monkeypatch, [0, 0, 0, 0.5, 0.7, 0.6, 0.5, 0.4])
    again, _ = train(config=replace(QUICK, epochs=8))
    assert same(weights(tagger), weights(again))  # the weights of epoch 5 in both
    assert same(weights(tagger), weights(Tagger.load(tmp_path / "run" / "best")))
    assert json.loads((tmp_path / "run" / "scores.json").read_text())["epoch"] == 5


def test_mixed_precision_keeps_full_weights(alone):
    tagger, history = train(config=replace(QUICK, mixed_precision="bf16", epochs=1))
    assert {tensor.dtype for tensor in tagger.state_dict().values()} == {torch.float32}
    assert math.isfinite(history.rows[0]["loss"])
    assert history.rows[0]["loss"] != alone[1][0]["loss"]
    assert history.rows[0]["loss"] == pytest.approx(alone[1][0]["loss"], rel=0.05)


def test_it_says_nothing_where_there_is_no_terminal(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tagger = small_tagger()
        fit(tagger, TRAIN, DEV, config=replace(QUICK, epochs=1), progress=True)
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_the_progress_bar_shows_loss_and_f1(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    fit(small_tagger(), TRAIN, DEV, config=QUICK)
    shown = capsys.readouterr().err
    assert "dev F1" in shown
    assert "6/6" in shown


def test_accelerate_is_left_as_it_was():
    from accelerate.state import AcceleratorState, PartialState

    train(config=replace(QUICK, epochs=1))
    assert not PartialState._shared_state
    assert not AcceleratorState._shared_state


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[
            ("method", "kl"),
            ("alpha", -1.0),
            ("alpha", math.nan),
            ("alpha_warmup", 1.5),
            ("epochs", 0),
            ("batch_size", 0),
        ],
        *[("learning_rate", 0.0), ("learning_rate", math.inf), ("encoder_learning_rate", -1.0), ("warmup", -0.1)],
        *[("weight_decay", -1.0), ("gradient_clip", 0.0), ("patience", 0), ("device", "tpu")],
        *[("mixed_precision", "fp8"), ("checkpoint_seconds", -1.0)],
    ],
)
def test_a_wrong_setting_is_named(field, value):
    with pytest.raises(ValueError, match=f"^{field} must be .*got {value!r}"):
        TrainingConfig(**{field: value})


def test_corpora_that_cannot_be_trained_on_are_refused():
    tagger = small_tagger()
    with pytest.raises(ValueError, match="train has no sentence"):
        fit(tagger, Corpus("empty", []), DEV)
    with pytest.raises(ValueError, match="dev has no span"):
        fit(tagger, TRAIN, Corpus("bare", [Sentence(("a",))]))
    with pytest.raises(ValueError, match="spans of type planet, the tagger knows event"):
        fit(tagger, Corpus("foreign", [Sentence(("Mars",), (("planet", 0, 1),))]), DEV)
    with pytest.raises(ValueError, match="device 'cuda' is not there" if not torch.cuda.is_available() else "."):
        fit(tagger, TRAIN, DEV, config=TrainingConfig(device="cuda" if not torch.cuda.is_available() else "mps"))


def test_a_type_that_only_dev_has_counts_as_missed():
    dev = Corpus("d", [*DEV.sentences, Sentence(("Mars",), (("planet", 0, 1),))])
    tagger, history = train(dev=dev, config=replace(QUICK, epochs=1))
    assert history.rows[0]["recall"] == evaluate(tagger, dev).recall


def test_what_training_never_scored_is_never_predicted(tmp_path):
    """Scores at distances beyond the longest training sentence are untrained: on longer sentences they were noise."""
    tagger, _ = train(tmp_path, replace(QUICK, epochs=1))
    longest = max(map(len, TRAIN))
    longer = Sentence(tuple(word for sentence in DEV.sentences[:4] for word in sentence.tokens))
    assert len(longer) > longest
    for fitted in (tagger, Tagger.load(tmp_path / "best")):
        lengths = {end - start for _, start, end in fitted.predict([longer], threshold=-1e9)[0]}
        assert lengths == set(range(1, longest + 1))
    fit(tagger, TRAIN[:5], DEV, config=replace(QUICK, epochs=1), progress=False)
    assert tagger.max_span_length == longest
    assert max(end - start for _, start, end in small_tagger().predict([longer], threshold=-1e9)[0]) == len(longer)


def test_a_missing_package_is_asked_for_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ModuleNotFoundError, match=r"training needs the package accelerate.*gpkl-lib\[train\]"):
        train()


# The folder of a run


def test_a_run_leaves_everything_in_its_folder(tmp_path):
    tagger, history = train(tmp_path / "runs" / "one")
    names = {
        str(path.relative_to(tmp_path / "runs" / "one")) for path in (tmp_path / "runs").rglob("*") if path.is_file()
    }
    assert names == {"config.json", "history.jsonl", "history.png", "scores.json"} | {
        "best/model.safetensors",
        "best/tagger.json",
        "checkpoint/state.safetensors",
        "checkpoint/previous.safetensors",
    }
    folder = tmp_path / "runs" / "one"
    assert History.load(folder).rows == history.rows
    keys = ["epoch", "step", "loss", "task", "divergence", "alpha", "precision", "recall", "f1", "seconds"]
    assert list(history.rows[0]) == keys
    assert [row["step"] for row in history.rows] == [3, 6]
    assert (folder / "history.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    asked = json.loads((folder / "config.json").read_text())
    assert asked["config"]["alpha"] == QUICK.alpha
    assert asked["train"]["sha256"] == TRAIN.sha256
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["dev"]["f1"] == history.best["f1"] == evaluate(tagger, DEV).f1
    assert scores["dev"]["by_type"]["person"]["gold"] == evaluate(tagger, DEV).by_type["person"].gold


def test_a_folder_in_use_is_refused_with_a_hint(tmp_path):
    train(tmp_path)
    before = (tmp_path / "history.jsonl").read_bytes()
    with pytest.raises(CheckpointError, match="already holds a run: resume it, or choose another"):
        train(tmp_path)
    assert (tmp_path / "history.jsonl").read_bytes() == before
    with pytest.raises(CheckpointError, match="resume needs an output folder"):
        train(resume=True)
    (tmp_path / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"parts of a run but no config.json"):
        train(tmp_path, resume=True)


def test_a_finished_run_resumed_is_the_same_run(tmp_path, alone):
    train(tmp_path)
    assert_resumes_like(alone, tmp_path)


def test_a_resumed_run_still_has_its_best_weights(tmp_path, monkeypatch):
    scripted(monkeypatch, [0.7, 0.3])
    tagger, _ = train(tmp_path)
    again, history = train(tmp_path, resume=True)
    assert history.best["epoch"] == 1
    assert same(weights(again), weights(tagger))


def test_resume_in_an_empty_folder_starts(tmp_path, alone):
    assert_resumes_like(alone, tmp_path / "new")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"config": replace(QUICK, alpha=3.0)}, r"config.alpha was 1.0 and is now 3.0"),
        ({"config": replace(QUICK, epochs=3)}, r"config.epochs was 2 and is now 3"),
        ({"config": replace(QUICK, seed=3)}, r"config.seed"),
        ({"corpus": toy_corpus(20, seed=1)}, r"train.contents"),
        ({"corpus": TRAIN[:19]}, r"train.contents"),
        ({"dev": DEV[1:]}, r"dev.contents"),
        ({"hidden_size": 14}, r"tagger"),
    ],
)
def test_resume_with_another_configuration_is_refused(tmp_path_factory, changes, named):
    folder = tmp_path_factory.getbasetemp() / "changed"
    if not folder.exists():
        train(folder, replace(QUICK, epochs=2))
    with pytest.raises(CheckpointError, match=f"cannot be resumed: {named}"):
        train(folder, **{"resume": True, **changes})


def test_device_and_rhythm_may_change_on_resume(tmp_path, alone):
    train(tmp_path)
    assert_resumes_like(alone, tmp_path, replace(QUICK, device="auto", checkpoint_seconds=300.0))


# Killed, broken, full


class Killed(BaseException):
    """Stands for SIGKILL: nothing but the test catches it."""


def file_operations(monkeypatch, fatal=None, die=None):
    """Count the operations on files that training does; `die` at number `fatal`, halfway through if it is a write."""
    count = [0]

    def wrap(module, name, midway):
        original = getattr(module, name)

        def operation(*args, **kwargs):
            count[0] += 1
            if count[0] == fatal:
                if midway:
                    original(*args, **kwargs)
                    with open(args[1], "r+b") as file:
                        file.truncate(os.path.getsize(args[1]) // 2)
                die()
            return original(*args, **kwargs)

        monkeypatch.setattr(module, name, operation)

    wrap(gpkl_lib._storage, "save_file", True)
    wrap(os, "replace", False)
    wrap(os, "fsync", False)
    return count


def die_killed():
    raise Killed


def die_full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_kill_at_any_operation_on_files_costs_nothing(tmp_path, alone, monkeypatch):
    with monkeypatch.context() as patch:
        count = file_operations(patch)
        train(tmp_path / "whole")
    total = count[0]
    assert total > 60
    for fatal in [1, 2, 3, *range(4, total, 7), total]:
        folder = tmp_path / str(fatal)
        with monkeypatch.context() as patch:
            file_operations(patch, fatal, die_killed)
            with pytest.raises(Killed):
                train(folder)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a kill damages nothing, so nothing needs to be passed over
            assert_resumes_like(alone, folder)


def test_a_full_disk_is_reported_and_the_last_checkpoint_stays_good(tmp_path, alone, monkeypatch):
    for fatal in (30, 31, 32, 33, 34, 35, 36):
        folder = tmp_path / str(fatal)
        with monkeypatch.context() as patch:
            file_operations(patch, fatal, die_full)
            with pytest.raises(CheckpointError, match=f"cannot write {folder}.*No space left on device"):
                train(folder)
        assert not list(folder.rglob("*.partial"))
        assert_resumes_like(alone, folder)


def half_a_run(folder, monkeypatch):
    steps, step = iter(range(100)), gpkl_lib.training.process.Process.step
    with monkeypatch.context() as patch:
        patch.setattr(
            gpkl_lib.training.process.Process, "step", lambda *args: die_killed() if next(steps) == 4 else step(*args)
        )
        with pytest.raises(Killed):
            train(folder)


def damage(path, how):
    data = bytearray(path.read_bytes())
    if how == "cut":
        del data[len(data) // 2 :]
    elif how == "flipped":
        data[-5] ^= 1
    else:
        data[:] = b"not safetensors at all"
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("how", ["cut", "flipped", "foreign"])
def test_a_damaged_checkpoint_is_passed_over_for_the_previous_one(tmp_path, alone, monkeypatch, how):
    half_a_run(tmp_path, monkeypatch)
    damage(tmp_path / "checkpoint" / "state.safetensors", how)
    with pytest.warns(
        UserWarning, match=r"state.safetensors is damaged.*going back to .*previous.safetensors, step \d"
    ):
        assert_resumes_like(alone, tmp_path)


def test_without_a_whole_checkpoint_there_is_a_clear_error(tmp_path, monkeypatch):
    half_a_run(tmp_path, monkeypatch)
    for name in ("state", "previous"):
        damage(tmp_path / "checkpoint" / f"{name}.safetensors", "cut")
    with pytest.raises(CheckpointError, match=r"state.safetensors is damaged.*previous.safetensors is damaged.*again"):
        train(tmp_path, resume=True)


def test_a_loss_that_is_not_finite_stops_before_it_reaches_the_weights(tmp_path, monkeypatch):
    whole = gpkl_lib.training.loop.training_loss
    calls = []

    def poisoned(*args, **settings):
        calls.append(args)
        losses = whole(*args, **settings)
        return losses._replace(loss=losses.loss * math.nan) if len(calls) == 5 else losses

    monkeypatch.setattr(gpkl_lib.training.loop, "training_loss", poisoned)
    tagger = small_tagger()
    with pytest.raises(TrainingError, match=r"not finite in step 5 \(epoch 2\): loss nan.*learning_rate.*before it"):
        fit(tagger, TRAIN, DEV, config=QUICK, output=tmp_path, progress=False)
    assert all(tensor.isfinite().all() for tensor in tagger.state_dict().values())
    assert gpkl_lib._storage.load_checkpoint(tmp_path / "checkpoint")[1]["step"] == 4


def test_a_learning_rate_far_too_large_ends_in_a_clear_error():
    with pytest.raises(TrainingError, match="not finite in step"):
        train(config=replace(QUICK, learning_rate=1e30, gradient_clip=None))


def test_a_history_cut_short_is_read_to_its_last_whole_line(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text('{"epoch": 1, "f1": 0.5}\n{"epoch": 2, "f1"')
    assert History.load(path).rows == [{"epoch": 1, "f1": 0.5}]
    path.write_text('{"epoch": 1}\nnonsense\n{"epoch": 3}\n')
    with pytest.raises(CheckpointError, match=r"history\.jsonl:2: expected one JSON object"):
        History.load(tmp_path)
    with pytest.raises(CheckpointError, match="missing"):
        History.load(tmp_path / "nowhere")


# Other processes

SCRIPT = """
import os, signal, sys, torch
sys.path.insert(0, {tests!r})
import gpkl_lib._storage as checkpoints, gpkl_lib.training.process as process
from test_training import QUICK, train, replace

moment, output = sys.argv[1], sys.argv[2]
def kill(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
if moment == "step":
    step = process.Process.step
    process.Process.step = lambda self, rate: kill() if next(steps) == 4 else step(self, rate)
    steps = iter(range(100))
if moment == "write":
    save = checkpoints.save_file
    def half(tensors, path, metadata):
        save(tensors, path, metadata)
        if next(writes) == 5:
            os.truncate(path, os.path.getsize(path) // 2)
            kill()
    checkpoints.save_file, writes = half, iter(range(100))
if moment == "together":
    loaded = [name for name in ("transformers", "matplotlib", "rich", "sympy") if name in sys.modules]
    assert not loaded, loaded
    tagger, history = train(output, replace(QUICK, batch_size=7), dropout=0.0, word_dropout=0.0)
    rank = torch.distributed.get_rank()
    torch.save(tagger.state_dict(), f"{{output}}/rank{{rank}}.pt")
    torch.distributed.destroy_process_group()
else:
    train(output)
"""


def start(tmp_path, moment, output, *launcher):
    script = tmp_path / f"{moment}.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, *launcher, str(script), moment, str(output)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_killed_for_real_and_resumed(tmp_path, alone):
    """SIGKILL in the middle of an epoch, and in the middle of writing a checkpoint."""
    children = {moment: start(tmp_path, moment, tmp_path / f"run-{moment}") for moment in ("step", "write")}
    for moment, child in children.items():
        error = child.communicate(timeout=300)[1]
        assert child.returncode == -signal.SIGKILL, error
        assert (tmp_path / f"run-{moment}" / "checkpoint").exists()
        assert_resumes_like(alone, tmp_path / f"run-{moment}")


@pytest.mark.slow
def test_two_processes_train_what_one_does(tmp_path):
    """Batches of 7 and a last one of 6: shares of unequal size, weighted; dev is shared as well."""
    torchrun = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "0", "--standalone")
    child = start(tmp_path, "together", tmp_path / "run", *torchrun)
    error = child.communicate(timeout=300)[1]
    assert child.returncode == 0, error
    tagger, history = train(config=replace(QUICK, batch_size=7), dropout=0.0, word_dropout=0.0)
    ranks = [torch.load(tmp_path / "run" / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert same(*ranks)
    for name, tensor in weights(tagger).items():
        torch.testing.assert_close(ranks[0][name], tensor, rtol=1e-3, atol=1e-4)
    together = History.load(tmp_path / "run").rows
    assert len(together) == len(history.rows) == 2
    for row, expected in zip(together, history.rows, strict=True):
        assert row["loss"] == pytest.approx(expected["loss"], rel=1e-4)
        assert row["f1"] == pytest.approx(expected["f1"], abs=0.02)
    gold = json.loads((tmp_path / "run" / "scores.json").read_text())["dev"]["gold"]
    assert gold == sum(len(sentence.spans) for sentence in DEV)
