"""Small taggers and settings for each method, and the loss of a step by them."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from gpkl_lib.consistency import ConsistencyLoss
from gpkl_lib.corpora import toy_corpus
from gpkl_lib.tagger.tagger import Tagger
from gpkl_lib.training.batching import StepBatches
from gpkl_lib.training.loop import TrainingConfig, training_loss

TRAIN, MORE = toy_corpus(12), toy_corpus(40)[12:]
SMALL = {"word_size": 8, "character_size": 4, "hidden_size": 12, "head_size": 8}
CONFIGS = {
    "none": TrainingConfig(),
    "sigmoid": TrainingConfig(method="sigmoid"),
    "vat": TrainingConfig(method="vat", epsilon=0.2),
    "uda": TrainingConfig(method="uda", temperature=0.7, threshold=0.6, hide=0.3),
    "annealed uda": TrainingConfig(method="uda", annealing="linear", threshold=0.0),
    "distillation": TrainingConfig(method="distillation", temperature=3.0),
    "hottest distillation": TrainingConfig(method="distillation", temperature=math.inf),
}
CPU = torch.device("cpu")


def small_tagger(**settings) -> Tagger:
    return Tagger.from_scratch(TRAIN.sentences, TRAIN.types, **{**SMALL, **settings})


def still_tagger(**settings) -> Tagger:
    """One that sees the same thing twice."""
    return small_tagger(dropout=0.0, word_dropout=0.0, **settings)


def batches_for(tagger: Tagger, config: TrainingConfig, teacher: Tagger | None = None) -> StepBatches:
    if config.method == "distillation" and teacher is None:
        teacher = small_tagger(seed=5, hidden_size=20)
    unlabelled = MORE if config.method == "uda" else None
    return StepBatches(tagger, TRAIN, config, unlabelled, teacher if config.method == "distillation" else None)


def loss_of(tagger: Tagger, config: TrainingConfig, sentences=TRAIN.sentences, done: float = 1.0) -> ConsistencyLoss:
    steps = batches_for(tagger, config)
    batch, target = steps.collate(steps.examples(sentences, 3), CPU)
    return training_loss(tagger, batch, config, done, target)


def gradients(tagger: Tagger, loss: Tensor) -> list[Tensor]:
    return [g.clone() for g in torch.autograd.grad(loss, list(tagger.parameters()))]


def make_tiny_encoder(folder: Path) -> Path:
    """Its files in a folder."""
    import transformers

    letters = sorted({c for sentence in TRAIN for token in sentence.tokens for c in token.lower()})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    (folder / "vocab.txt").write_text("\n".join(pieces))
    transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(vocab_size=len(pieces), max_position_embeddings=64, **size)
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    return folder
