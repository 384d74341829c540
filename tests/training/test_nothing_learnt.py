"""A run that taught nothing says so, and what to try."""

import warnings
from dataclasses import replace

import pytest
from runs import DEV, QUICK, TRAIN, scripted, small_tagger, train

from gpkl_lib.corpora import Sentence, toy_corpus
from gpkl_lib.training import LearningWarning, TrainingConfig, fit

NONE_FOUND = "no span of dev was found in any of 2 epochs, so the weights are those of the lowest dev_loss"


def test_f1_of_0_in_every_epoch(monkeypatch):
    scripted(monkeypatch, [0.0, 0.0])
    with pytest.warns(
        LearningWarning, match=f"{NONE_FOUND}: try more epochs, a higher learning rate, a smaller alpha or a"
    ):
        train()
    scripted(monkeypatch, [0.0, 0.0])
    with pytest.warns(LearningWarning, match=f"{NONE_FOUND}: try more epochs, a higher learning rate, and see whether"):
        train(config=replace(QUICK, method="none"))


def test_one_span_found_is_enough_to_say_nothing(monkeypatch):
    scripted(monkeypatch, [0.0, 0.01])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train()


def test_sentences_without_a_span(monkeypatch):
    scripted(monkeypatch, [0.5, 0.5])
    bare = replace(TRAIN, sentences=[Sentence(sentence.tokens) for sentence in TRAIN])
    with pytest.warns(LearningWarning, match="train has no span: .* is it the right file"):
        train(corpus=bare)


@pytest.mark.parametrize(("threshold", "warns"), [(0.99999, True), (0.3, False)])
def test_no_unlabelled_span_was_sure(monkeypatch, threshold, warns):
    scripted(monkeypatch, [0.5, 0.5])
    config = TrainingConfig(method="uda", threshold=threshold, epochs=2, batch_size=8, device="cpu")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        more = toy_corpus(30)[20:]
        rows = fit(small_tagger(), TRAIN, DEV, config=config, unlabelled=more, progress=False).rows
    assert all((row["confident"] == 0) == warns and 0 <= row["confident"] <= 1 for row in rows)
    told = [str(w.message) for w in said if w.category is LearningWarning]
    assert told == (
        [
            "in 2 of 2 epochs no span of the unlabelled sentences was sure, so they taught nothing: "
            "try a lower threshold (it is 0.99999) or more epochs"
        ]
        if warns
        else []
    )
