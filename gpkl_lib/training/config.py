"""How to train: every knob of `fit`, with its default and its range."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any

from gpkl_lib.training.methods import METHODS, own_settings

KINDS: dict[str, tuple[type, str]] = {
    "str": (str, "a word"),
    "int": (Integral, "a whole number"),
    "float": (Real, "a number"),
    "bool": (bool, "True or False"),
}


@dataclass(frozen=True, init=False)
class TrainingConfig:
    """How to train. Shares are of all steps; the defaults suit a tagger from scratch and one on a pretrained encoder.

    Each method has settings of its own beside these, and they are given and read like all others:
    `TrainingConfig(method="vat", epsilon=0.3).epsilon`. `METHODS[name].settings` has them with their ranges, `gpkl
    train --help` lists them.

    Attributes:
        method: "none" (one view, cross-entropy alone); a divergence between two dropout views: "sigmoid"
            (GlobalPointer's), "softmax" (over the spans of a type, blind to a common shift), "squared" (on the logits);
            "vat" (virtual adversarial training), "uda" (unsupervised data augmentation), "distillation"; or one that
            was registered.
        alpha: weight of what the method adds to the cross-entropy; None for the method's own, `METHODS[name].alpha`.
            With two views and with vat the divergence counts alpha/4 times (the paper's alpha); with uda and
            distillation the added loss counts alpha times.
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
        own: what the methods' own settings are, as (name, value), where that is not their default.

    Raises:
        ValueError: a value out of its range; the message names the field.
        TypeError: a setting that no method has, or a value that is no number, no whole number, no word where one is
            wanted; the message names the field.

    Example:
        >>> config = TrainingConfig(method="uda", alpha=0.4, threshold=0.9)
        >>> TrainingConfig(method="sigmoid").alpha == METHODS["sigmoid"].alpha
        True
        >>> config.threshold, config.epochs
        (0.9, 20)
        >>> TrainingConfig(alpha=-1)
        Traceback (most recent call last):
            ...
        ValueError: alpha must be not negative, got -1
    """

    method: str = "none"
    alpha: float = None  # type: ignore[assignment]  # filled in by __init__
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
    own: tuple[tuple[str, Any], ...] = ()

    def __init__(self, method: str = "none", **settings: Any) -> None:
        own, known = {**dict(settings.pop("own", ()))}, own_settings()
        for each in fields(self)[:-1]:
            value = method if each.name == "method" else settings.pop(each.name, each.default)
            object.__setattr__(self, each.name, value)
        if self.alpha is None:
            object.__setattr__(self, "alpha", METHODS[method].alpha if method in METHODS else 0.0)
        own.update(settings)
        unknown = [name for name in own if name not in known]
        if unknown:
            raise TypeError(f"no setting {', '.join(unknown)}; there are {', '.join(self.names())}")
        changed = {name: value for name, value in own.items() if value != known[name][0][1].default}
        object.__setattr__(self, "own", tuple(sorted(changed.items())))
        self._check()

    def __getattr__(self, name: str) -> Any:
        """The value of a setting of some method's own."""
        if name.startswith("_") or name == "own" or name not in (known := own_settings()):
            raise AttributeError(f"TrainingConfig has no setting {name!r}")
        return dict(self.own).get(name, known[name][0][1].default)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of all settings, those of every method first."""
        return (*(each.name for each in fields(cls)[:-1]), *own_settings())

    def _check(self) -> None:
        kinds = {each.name: str(each.type) for each in fields(self)[:-1]}
        kinds |= {name: type(having[0][1].default).__name__ for name, having in own_settings().items()}
        for name, kind in kinds.items():
            kind, *none = kind.split(" | ")
            value, (of, words) = getattr(self, name), KINDS.get(kind, (object, ""))
            if none and value is None:
                continue
            if not isinstance(value, of) or (isinstance(value, bool) and kind != "bool"):
                raise TypeError(f"{name} must be {words}{' or None' if none else ''}, got {value!r}")
        positive, share, weight = "positive", "between 0 and 1", "not negative"
        ranges = [
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
            ("seed", "a whole number of 64 bits", -(2**63) <= self.seed < 2**63),
            ("device", "one of auto, cpu, cuda, mps", self.device in ("auto", "cpu", "cuda", "mps")),
            ("mixed_precision", "one of auto, no, bf16", self.mixed_precision in ("auto", "no", "bf16")),
            ("checkpoint_seconds", weight, self.checkpoint_seconds >= 0),
        ]
        for name, having in own_settings().items():
            # The method's own range; for a setting that it does not look at, that of any method.
            mine = [setting for method, setting in having if method.name == self.method]
            among = mine or [setting for _, setting in having]
            asked = f" with {self.method}" if mine and len(having) > 1 else ""
            ranges.append((name, among[0].wanted + asked, any(setting.holds(self) for setting in among)))
        for name, wanted, right in ranges:
            if not right:
                raise ValueError(f"{name} must be {wanted}, got {getattr(self, name)!r}")

    def settings(self) -> dict[str, Any]:
        """The settings that the method uses, as JSON values (an infinite temperature is "inf").

        What other methods alone use is left out, so that a run is named by what it did.
        """
        foreign = own_settings().keys() - {setting.name for setting in METHODS[self.method].settings}
        used = {name: getattr(self, name) for name in self.names() if name not in foreign}
        return {name: "inf" if value == math.inf else value for name, value in used.items()}

    def rate_at(self, progress: float) -> float:
        """Share of the peak learning rate when `progress` of all steps are done: to 1 at `warmup`, to 0 at the end."""
        rise = progress / self.warmup if self.warmup else 1.0
        return min(1.0, rise, (1 - progress) / max(1 - self.warmup, 1e-9))

    def alpha_at(self, progress: float) -> float:
        """Alpha when `progress` of all steps are done."""
        return self.alpha * min(1.0, progress / self.alpha_warmup) if self.alpha_warmup else self.alpha


# Editors and `help` read the signature from here; `own` is how a copy is made, not how a person says it.
TrainingConfig.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        *(
            inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=each.type)
            for each in fields(TrainingConfig)[:-1]
        ),
        inspect.Parameter("settings", inspect.Parameter.VAR_KEYWORD),
    ]
)
