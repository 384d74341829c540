"""Small runs of training, and what to hold them against."""

from __future__ import annotations

import torch

import gpkl_lib.training.loop
from gpkl_lib.corpora import toy_corpus
from gpkl_lib.spans import SpanScores
from gpkl_lib.tagger.tagger import Tagger
from gpkl_lib.training.evaluation import DevScores
from gpkl_lib.training.history import History
from gpkl_lib.training.loop import TrainingConfig, fit

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


def assert_resumes_like(alone, output, config=QUICK):
    tagger, history = train(output, config, resume=True)
    assert without_seconds(history) == alone[1]
    assert without_seconds(History.load(output)) == alone[1]
    assert same(weights(tagger), alone[0])
    assert same(weights(Tagger.load(output / "best")), alone[0])


class Killed(BaseException):
    """Stands for SIGKILL: nothing but the test catches it."""


def die_killed():
    raise Killed


def scripted(monkeypatch, f1s, losses=None):
    """Let the epochs of a run score this on dev."""
    spans = [SpanScores(round(100 * f1), 100, 100) for f1 in f1s]
    scores = iter(map(DevScores, spans, losses or [1.0] * len(f1s)))
    monkeypatch.setattr(gpkl_lib.training.loop, "evaluate_together", lambda *_: next(scores))
