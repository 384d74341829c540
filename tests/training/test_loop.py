"""The loop: what is learned, logged, clipped, warmed up, refused and left alone."""

import json
import math
import sys
import warnings
from dataclasses import replace

import pytest
import torch
from runs import DEV, QUICK, TRAIN, same, scripted, small_tagger, train, weights, without_seconds

import gpkl_lib.training.loop
import gpkl_lib.training.process
from gpkl_lib.corpora import Corpus, Sentence, toy_corpus
from gpkl_lib.tagger.tagger import Tagger
from gpkl_lib.training import TrainingConfig, evaluate, fit


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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": "4"}, "alpha must be a number, got '4'"),
        ({"gradient_clip": "no"}, "gradient_clip must be a number or None, got 'no'"),
        ({"epochs": 2.0}, "epochs must be a whole number, got 2.0"),
        ({"batch_size": True}, "batch_size must be a whole number, got True"),
        ({"method": None}, "method must be a word, got None"),
        ({"method": "vat", "epsilon": "0.1"}, "epsilon must be a number, got '0.1'"),
        ({"method": "uda", "unlabelled_ratio": 1.5}, "unlabelled_ratio must be a whole number, got 1.5"),
    ],
)
def test_a_setting_of_another_type_is_named(settings, message):
    with pytest.raises(TypeError, match=f"^{message}$"):
        TrainingConfig(**settings)


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
