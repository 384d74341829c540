"""How to train: every knob of `fit`, with its default and its range."""

from __future__ import annotations

import math
from dataclasses import dataclass

METHODS = ("none", "sigmoid", "softmax", "squared")


@dataclass(frozen=True)
class TrainingConfig:
    """How to train. Shares are of all steps; the defaults suit a tagger from scratch and one on a pretrained encoder.

    Attributes:
        method: the divergence between two dropout views: "none" (one view, cross-entropy alone), "sigmoid"
            (GlobalPointer's), "softmax" (over the spans of a type, a mistake worth seeing), "squared" (on the logits).
        alpha: the paper's weight; the divergence counts alpha/4 times.
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
        ):
            if not right:
                raise ValueError(f"{name} must be {wanted}, got {getattr(self, name)!r}")

    def rate_at(self, progress: float) -> float:
        """Share of the peak learning rate when `progress` of all steps are done: to 1 at `warmup`, to 0 at the end."""
        rise = progress / self.warmup if self.warmup else 1.0
        return min(1.0, rise, (1 - progress) / max(1 - self.warmup, 1e-9))

    def alpha_at(self, progress: float) -> float:
        """Alpha when `progress` of all steps are done."""
        return self.alpha * min(1.0, progress / self.alpha_warmup) if self.alpha_warmup else self.alpha
