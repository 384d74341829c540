"""The registry of methods: what each says of itself is so."""

from __future__ import annotations

import math
import pkgutil

import pytest
import torch

import gpkl_lib.training.methods
from gpkl_lib.corpora import toy_corpus
from gpkl_lib.palette import PALETTE
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import METHODS, TrainingConfig, own_settings, training_loss
from gpkl_lib.training.batching import StepBatches

TRAIN, MORE = toy_corpus(6), toy_corpus(12)[6:]
SIZES = {"word_size": 8, "character_size": 4, "hidden_size": 12, "head_size": 8}


def test_every_file_of_the_folder_is_found() -> None:
    files = {info.name for info in pkgutil.iter_modules(gpkl_lib.training.methods.__path__)}
    homes = {getattr(method.loss, "func", method.loss).__module__.rpartition(".")[2] for method in METHODS.values()}
    assert homes == files - {"method"}
    assert next(iter(METHODS)) == "none"
    two_views = {"none", "sigmoid", "softmax", "squared", "top-spans"}
    others = {"copies", "distillation", "open-distillation", "uda", "vat", "vat-unlabelled"}
    assert set(METHODS) == two_views | others


@pytest.mark.parametrize("name", METHODS)
def test_the_divergence_counts_as_often_as_the_method_says(name: str) -> None:
    method, config = METHODS[name], TrainingConfig(method=name, alpha=0.8, alpha_warmup=0.5, threshold=0.5)
    tagger = Tagger.from_scratch(TRAIN.sentences, TRAIN.types, dropout=0.3, **SIZES)
    teacher = Tagger.from_scratch(TRAIN.sentences, TRAIN.types, seed=1, **SIZES) if method.needs == "teacher" else None
    steps = StepBatches(tagger, TRAIN, config, MORE if method.needs == "unlabelled" else None, teacher)
    batch, target = steps.collate(steps.examples(TRAIN.sentences, 0), torch.device("cpu"))
    torch.manual_seed(0)
    found = training_loss(tagger, batch, config, 0.25, target)
    assert found.loss.item() == pytest.approx((found.task + method.factor * 0.4 * found.divergence).item(), rel=1e-6)
    assert (found.divergence > 0) == (method.factor > 0)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_can_be_told_drawn_and_labelled(name: str) -> None:
    method = METHODS[name]
    assert method.help
    assert not method.help.endswith(".")
    assert method.tone in PALETTE
    config = TrainingConfig(method=name).settings()
    assert method.label_of(config).startswith(name)
    assert method.label_of({**config, "alpha": 0.0}) == ("two views" if method.views == 2 else method.label_of(config))
    assert {setting.name for setting in method.settings} <= set(config)


def test_methods_are_told_apart_in_figures_and_by_their_labels() -> None:
    looks = [(method.marker, method.tone) for method in METHODS.values()]
    assert len(set(looks)) == len(looks)
    hot = TrainingConfig(method="distillation", temperature=math.inf).settings()
    assert METHODS["distillation"].label_of(hot) == "distillation, T = inf"
    assert METHODS["uda"].label_of(TrainingConfig(method="uda", divide="confident").settings()) == "uda, by confident"
    assert METHODS["uda"].told == ("temperature", "threshold")
    assert METHODS["vat"].told == ("epsilon",)
    assert METHODS["distillation"].told == ()


def test_a_setting_that_no_method_has_is_refused_by_its_name() -> None:
    with pytest.raises(TypeError, match=r"no setting epsilom; there are method, alpha, .*epsilon"):
        TrainingConfig(method="vat", epsilom=0.3)
    with pytest.raises(AttributeError, match="TrainingConfig has no setting 'epsilom'"):
        _ = TrainingConfig().epsilom
    assert set(TrainingConfig.names()) >= {"epochs", *own_settings()}
