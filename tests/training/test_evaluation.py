"""After every epoch: F1 and loss on dev from one pass, and which epoch they make the best."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from runs import DEV, QUICK, TRAIN, Killed, same, scripted, small_tagger, train, weights

from gpkl_lib import sparse_multilabel_cross_entropy
from gpkl_lib.corpora import Corpus, Sentence, toy_corpus
from gpkl_lib.global_pointer import span_mask
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import History, LearningWarning, evaluate, fit
from gpkl_lib.training.evaluation import evaluate_together
from gpkl_lib.training.process import Process, accelerator


def judged(tagger, dev):
    with accelerator("cpu") as accelerate:
        return evaluate_together(tagger, dev, Process(accelerate, tagger, QUICK))


def by_definition(tagger, sentences):
    batch = tagger.collate(sentences)
    with torch.no_grad():
        logits = tagger.eval()(batch).double()
    mask = span_mask(batch.attention_mask)
    return sparse_multilabel_cross_entropy(logits, batch.positives, class_dims=2, mask=mask).item()


def test_the_dev_loss_is_the_cross_entropy_of_all_sentences_and_types():
    tagger, dev = train()[0], toy_corpus(75, split="dev")  # three batches, the last one smaller
    found = judged(tagger.train(), dev)
    assert tagger.training
    assert found.loss == pytest.approx(by_definition(tagger, dev.sentences), rel=1e-5)
    assert found.spans == evaluate(tagger, dev)


def test_scores_and_loss_come_from_one_pass(monkeypatch):
    tagger, passes = small_tagger(), []
    forward = tagger.encoder.forward
    monkeypatch.setattr(tagger.encoder, "forward", lambda *args: passes.append(1) or forward(*args))
    judged(tagger, toy_corpus(75, split="dev"))
    assert len(passes) == 3


def test_a_type_that_the_tagger_does_not_know_is_missed_and_has_no_loss():
    tagger = small_tagger()
    foreign = [Sentence(s.tokens, (*s.spans, ("planet", 0, 1))) for s in DEV]
    found = judged(tagger, Corpus("foreign", foreign))
    assert found.spans.by_type["planet"].gold == len(DEV)
    assert found.loss == judged(tagger, DEV).loss == pytest.approx(by_definition(tagger, DEV.sentences), rel=1e-5)


def test_a_loss_beyond_floating_point_is_none_and_the_worst(monkeypatch, tmp_path):
    tagger = small_tagger()
    with torch.no_grad():
        tagger.head.projection.weight.mul_(1e19)
        tagger.head.projection.bias.fill_(3e18)
    assert judged(tagger, DEV).loss is None
    scripted(monkeypatch, [0.5, 0.5], [None, 8.0])
    history = train(tmp_path / "run")[1]
    assert [row["dev_loss"] for row in history.rows] == [None, 8.0]
    assert history.best["epoch"] == 2
    assert History.load(tmp_path / "run").rows == history.rows


@pytest.mark.parametrize(
    ("f1s", "losses", "best"),
    [
        ([0.5, 0.7, 0.7, 0.7], [1.0, 3.0, 2.0, 2.0], 3),  # of exact equals the first
        ([0.5, 0.7, 0.7, 0.6], [1.0, 2.0, 3.0, 0.1], 2),
        ([0.0, 0.0, 0.0, 0.0], [4.0, 3.0, 2.0, 5.0], 3),
    ],
)
def test_at_equal_f1_the_lower_dev_loss_wins(monkeypatch, tmp_path, f1s, losses, best):
    scripted(monkeypatch, f1s, losses)
    tagger, at_epoch, config = small_tagger(), [], replace(QUICK, epochs=4)
    with pytest.warns(LearningWarning) if not any(f1s) else nullcontext():
        history = fit(
            tagger, TRAIN, DEV, config=config, output=tmp_path, on_epoch=lambda _: at_epoch.append(weights(tagger))
        )
    assert history.best["epoch"] == best
    assert same(weights(tagger), at_epoch[best - 1])
    assert same(weights(Tagger.load(tmp_path / "best")), at_epoch[best - 1])
    assert json.loads((tmp_path / "scores.json").read_text())["epoch"] == best


def test_a_resumed_run_remembers_the_loss_of_its_best_epoch(monkeypatch, tmp_path):
    def die(history):
        if len(history) == 2:
            raise Killed

    for third, best in ((2.5, 2), (1.5, 3)):
        folder, config = tmp_path / str(best), replace(QUICK, epochs=3)
        scripted(monkeypatch, [0.5, 0.5, 0.5], [3.0, 2.0, third])
        with pytest.raises(Killed):
            fit(small_tagger(), TRAIN, DEV, config=config, output=folder, on_epoch=die)
        assert train(folder, config, resume=True)[1].best["epoch"] == best


def test_a_lower_loss_at_the_same_f1_gives_no_patience(monkeypatch):
    scripted(monkeypatch, [0.5, 0.5, 0.5, 0.6], [4.0, 3.0, 2.0, 1.0])
    history = train(config=replace(QUICK, epochs=4, patience=2))[1]
    assert len(history) == 3
    assert history.best["epoch"] == 3


def test_rows_of_before_the_dev_loss_are_read():
    rows = [{"epoch": 1, "f1": 0.5}, {"epoch": 2, "f1": 0.5}]
    assert History(rows).best["epoch"] == 1
    assert History([*rows, {"epoch": 3, "f1": 0.5, "dev_loss": 9.0}]).best["epoch"] == 3
