"""How to train: every knob of `fit`, with its default and its range."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

TWO_VIEWS = ("sigmoid", "softmax", "squared")
METHODS = ("none", *TWO_VIEWS, "vat", "uda", "distillation")
OWN = {
    "vat": ("epsilon", "power_iterations"),
    "uda": ("temperature", "threshold", "divide", "annealing", "unlabelled_ratio", "hide", "exchange"),
    "distillation": ("temperature",),
}
"""The settings that one method has and others do not look at; all other settings belong to every method."""


@dataclass(frozen=True)
class TrainingConfig:
    """How to train. Shares are of all steps; the defaults suit a tagger from scratch and one on a pretrained encoder.

    Attributes:
        method: "none" (one view, cross-entropy alone); a divergence between two dropout views: "sigmoid"
            (GlobalPointer's), "softmax" (over the spans of a type, a mistake worth seeing), "squared" (on the logits);
            "vat" (virtual adversarial training), "uda" (unsupervised data augmentation), "distillation".
        alpha: weight of what the method adds to the cross-entropy. With two views and with vat the divergence counts
            alpha/4 times (the paper's alpha); with uda and distillation the added loss counts alpha times.
        alpha_warmup: share over which alpha rises from 0; too large an alpha early keeps the head at "no spans".
        epochs: passes over the training sentences.
        batch_size: sentences of a step, all processes together.
        learning_rate: peak, for weights that start new (all of them from scratch; the head on a pretrained encoder).
        encoder_learning_rate: peak, for pretrained weights; encoders of six layers (MiniLM) learn better at 2e-4.
        warmup: share over which the learning rates rise from 0; afterwards they fall to 0 linearly.
        weight_decay: AdamW's, on matrices alone.
        gradient_clip: largest norm of the gradient; None for any.
        patience: stop after so many epochs without a better dev F1 (counted once it has left 0); None trains them all.
        seed: of order and dropout; the initial weights are the tagger's own affair.
        device: "auto", "cpu", "cuda" or "mps".
        mixed_precision: "auto" (bf16 on a GPU that has it), "no" or "bf16"; in the forward pass only.
        checkpoint_seconds: write a checkpoint within an epoch if the last one is older than this.
        epsilon: vat: how far the embeddings of a sentence are moved, as a share of their own length.
        power_iterations: vat: steps in search of the direction; each costs a forward and a backward pass.
        temperature: uda: of the target, below 1 sharpens (the paper: 0.4). distillation: of both sides; inf gives the
            limit, a squared error on the logits.
        threshold: uda: a span counts if the model gives its own decision there a probability above this.
        divide: uda: by "all" spans, so that few sure ones weigh little, or by the "confident" ones alone.
        annealing: uda: "none", or how the labelled spans are released: "log" (early), "linear", "exp" (late).
        unlabelled_ratio: uda: unlabelled sentences of a step for each labelled one.
        hide, exchange: uda: share of the words of a sentence that its copy hides, and that it exchanges for others.

    Raises:
        ValueError: a value out of its range; the message names the field.
    """

    method: str = "none"
    alpha: float = 1.0
    alpha_warmup: float = 0.2
    epochs: int = 20
    batch_size: int = 16
    learning_rate: float = 5e-3
    encoder_learning_rate: float = 5e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    gradient_clip: float | None = 5.0
    patience: int | None = None
    seed: int = 0
    device: str = "auto"
    mixed_precision: str = "auto"
    checkpoint_seconds: float = 300.0
    epsilon: float = 0.1
    power_iterations: int = 1
    temperature: float = 1.0
    threshold: float = 0.8
    divide: str = "all"
    annealing: str = "none"
    unlabelled_ratio: int = 1
    hide: float = 0.1
    exchange: float = 0.1

    def __post_init__(self) -> None:
        positive, share, weight = "positive", "between 0 and 1", "not negative"
        for name, wanted, right in (
            ("method", "one of " + ", ".join(METHODS), self.method in METHODS),
            ("alpha", weight, 0 <= self.alpha < math.inf),
            ("alpha_warmup", share, 0 <= self.alpha_warmup <= 1),
            ("epochs", positive, self.epochs >= 1),
            ("batch_size", positive, self.batch_size >= 1),
            ("learning_rate", positive, 0 < self.learning_rate < math.inf),
            ("encoder_learning_rate", weight, 0 <= self.encoder_learning_rate < math.inf),
            ("warmup", share, 0 <= self.warmup <= 1),
            ("weight_decay", weight, 0 <= self.weight_decay < math.inf),
            ("gradient_clip", "None or positive", self.gradient_clip is None or self.gradient_clip > 0),
            ("patience", "None or positive", self.patience is None or self.patience >= 1),
            ("device", "one of auto, cpu, cuda, mps", self.device in ("auto", "cpu", "cuda", "mps")),
            ("mixed_precision", "one of auto, no, bf16", self.mixed_precision in ("auto", "no", "bf16")),
            ("checkpoint_seconds", weight, self.checkpoint_seconds >= 0),
            ("epsilon", positive, 0 < self.epsilon < math.inf),
            ("power_iterations", positive, self.power_iterations >= 1),
            ("temperature", positive, self.temperature > 0),
            ("temperature", "finite with uda", self.method != "uda" or self.temperature < math.inf),
            ("threshold", "at least 0 and below 1", 0 <= self.threshold < 1),
            ("divide", "one of all, confident", self.divide in ("all", "confident")),
            ("annealing", "one of none, log, linear, exp", self.annealing in ("none", "log", "linear", "exp")),
            ("unlabelled_ratio", positive, self.unlabelled_ratio >= 1),
            ("hide", share, 0 <= self.hide <= 1),
            ("exchange", "between 0 and 1 - hide", 0 <= self.exchange <= 1 - self.hide),
        ):
            if not right:
                raise ValueError(f"{name} must be {wanted}, got {getattr(self, name)!r}")

    def settings(self) -> dict[str, Any]:
        """The settings that the method uses, as JSON values (an infinite temperature is "inf").

        What other methods alone use is left out, so that a run is named by what it did.
        """
        foreign = {name for names in OWN.values() for name in names}.difference(OWN.get(self.method, ()))
        used = {name: value for name, value in asdict(self).items() if name not in foreign}
        return {name: "inf" if value == math.inf else value for name, value in used.items()}

    def rate_at(self, progress: float) -> float:
        """Share of the peak learning rate when `progress` of all steps are done: to 1 at `warmup`, to 0 at the end."""
        rise = progress / self.warmup if self.warmup else 1.0
        return min(1.0, rise, (1 - progress) / max(1 - self.warmup, 1e-9))

    def alpha_at(self, progress: float) -> float:
        """Alpha when `progress` of all steps are done."""
        return self.alpha * min(1.0, progress / self.alpha_warmup) if self.alpha_warmup else self.alpha
