"""From scores to decisions and probabilities: a threshold and a logistic curve, chosen on labelled sentences.

The multi-label cross-entropy trains for "above 0"; it does not make a score the log-odds of being right. Platt's curve,
p = sigmoid(slope * score + offset), is fitted to what the scores of held-out spans turned out to mean (Platt 1999).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from gpkl_lib._storage import CheckpointError, read_json

DECODING = "decoding.json"
"""In the folder of a saved tagger: the threshold and the curve that were found for it."""
FLOOR = -5.0
"""Spans scored below are no candidates: a curve through a million of them is off where it is used."""
SETTLED = 1e-10


@dataclass(frozen=True)
class Calibration:
    """p = sigmoid(slope * score + offset), the probability that a span with this score is a gold span.

    Attributes:
        slope, offset: of the curve; the slope is positive, so that no order changes.
        corpus: the name of what it was fitted on.
        candidates: how many spans scored above -5 there, on which it was fitted.
        right: how many of them are gold spans.

    Example:
        >>> Calibration(slope=2.0, offset=-1.0, corpus="dev", candidates=500, right=120).slope
        2.0
    """

    slope: float
    offset: float
    corpus: str
    candidates: int
    right: int

    def probability(self, score: float) -> float:
        """Of a span with this score.

        >>> Calibration(2.0, -1.0, "dev", 10, 5).probability(0.5)
        0.5
        """
        logit = self.slope * score + self.offset
        return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0

    def __str__(self) -> str:
        return (
            f"probability = sigmoid({self.slope:.3g} x score {self.offset:+.3g}), fitted on {self.candidates:,} spans "
            f"of {self.corpus}, of which {self.right:,} are gold"
        )


@dataclass(frozen=True)
class Threshold:
    """A threshold that was chosen, and what it was chosen for.

    Attributes:
        value: spans scored above it are found.
        f1: at this threshold, on the sentences that chose it: more than what others will show.
        f1_at_zero: there, at the threshold 0 that training aims at.
        corpus: the name of what it was chosen on.

    Example:
        >>> Threshold(value=0.3, f1=0.82, f1_at_zero=0.80, corpus="dev").value
        0.3
    """

    value: float
    f1: float
    f1_at_zero: float
    corpus: str

    def __str__(self) -> str:
        return (
            f"threshold {self.value:.4g}: F1 {self.f1:.4f} on {self.corpus}, which chose it, "
            f"against {self.f1_at_zero:.4f} at 0"
        )


def fit_calibration(scores: Sequence[float], right: Sequence[bool], corpus: str) -> Calibration:
    """Platt's curve by maximum likelihood, with his targets, which keep it finite where the two sides do not overlap.

    Raises:
        ValueError: no score of a gold span, or of another one; scores that do not tell the two apart.

    >>> fit_calibration([-2.0, -1.0, -1.0, 0.0, 1.0, 2.0], [False, False, True, False, True, True], "dev").slope > 0
    True
    """
    good = sum(right)
    bad = len(right) - good
    if not good or not bad:
        raise ValueError(
            f"no probabilities can be fitted on {corpus}: of the spans scored above {FLOOR:g} {good} are gold and "
            f"{bad} are not, and it takes some of both"
        )
    x = torch.tensor(scores, dtype=torch.float64)
    features = torch.stack([x, torch.ones_like(x)], 1)
    target = torch.where(torch.tensor(right), (good + 1) / (good + 2), 1 / (bad + 2)).double()
    weights = torch.tensor([0.0, math.log((good + 1) / (bad + 1))], dtype=torch.float64)

    def loss(at: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.binary_cross_entropy_with_logits(features @ at, target)

    for _ in range(100):  # Newton's steps, halved where they go too far
        p = torch.sigmoid(features @ weights)
        gradient = features.T @ (p - target) / len(x)
        hessian = features.T @ (features * (p * (1 - p))[:, None]) / len(x) + 1e-12 * torch.eye(2, dtype=torch.float64)
        step, size = torch.linalg.solve(hessian, gradient), 1.0
        while size > 1e-6 and loss(weights - size * step) > loss(weights):
            size /= 2
        weights = weights - size * step
        if gradient.abs().max() < SETTLED:
            break
    slope, offset = weights.tolist()
    if not slope > 0:
        raise ValueError(
            f"no probabilities can be fitted on {corpus}: gold spans score no higher there than others do "
            f"(slope {slope:.3g}); the tagger has learnt nothing"
        )
    return Calibration(slope, offset, corpus, len(right), good)


def choose_threshold(scores: Sequence[float], right: Sequence[bool], gold: int, corpus: str) -> Threshold:
    """The threshold with the highest F1: between two scores; 0 where nothing is better.

    Args:
        scores: of the candidates.
        right: whether each is a gold span.
        gold: how many gold spans there are, candidates or not.
        corpus: a name, to say where it was chosen.

    >>> choose_threshold([3.0, 1.0, -1.0], [True, False, False], 1, "dev")
    Threshold(value=2.0, f1=1.0, f1_at_zero=0.6666666666666666, corpus='dev')
    """
    order = sorted(zip(scores, right, strict=True), reverse=True)
    at_zero = [hit for score, hit in order if score > 0]
    f1_at_zero = 2 * sum(at_zero) / max(len(at_zero) + gold, 1)
    best, value, correct = f1_at_zero, 0.0, 0
    for number, (score, hit) in enumerate(order, 1):
        correct += hit
        below = order[number][0] if number < len(order) else FLOOR
        f1 = 2 * correct / (number + gold)
        if below < score and f1 > best + 1e-12:
            best, value = f1, (score + below) / 2
    return Threshold(value, best, f1_at_zero, corpus)


def decoding_text(tagger: str, threshold: Threshold | None, calibration: Calibration | None) -> str:
    """Both as JSON, with the `digest` of the tagger that they belong to."""
    held = {"threshold": threshold, "calibration": calibration}
    record = {name: None if value is None else asdict(value) for name, value in held.items()}
    return json.dumps({"format": 1, "tagger": tagger, **record}, ensure_ascii=False, indent=1) + "\n"


def read_decoding(path: Path, tagger: str) -> tuple[Threshold | None, Calibration | None]:
    """What `decoding_text` wrote, for the tagger with this digest.

    Raises:
        CheckpointError: the file is damaged, or belongs to other weights.
    """
    value = read_json(path)
    if value.get("tagger") != tagger:
        raise CheckpointError(f"{path} is of other weights than lie beside it: remove it, or fit it again")
    try:
        return _from_record(Threshold, value["threshold"]), _from_record(Calibration, value["calibration"])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None


def _from_record(kind: Any, value: Any) -> Any:
    """A `Calibration` or `Threshold` from its JSON object, None from null.

    Raises:
        ValueError: other fields, values of other types, a number that is not finite, a slope that is not positive.
    """
    if value is None:
        return None
    wanted = {each.name: {"float": float, "int": int, "str": str}[str(each.type)] for each in fields(kind)}
    if not isinstance(value, dict) or value.keys() != wanted.keys():
        raise ValueError(f"expected {', '.join(wanted)}, got {value!r:.80}")
    for name, type_ in wanted.items():
        given = value[name]
        number = isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)
        if not (isinstance(given, str) if type_ is str else number and isinstance(given, type_ | int)):
            raise ValueError(f"{name} must be a {type_.__name__}, got {given!r:.80}")
    if value.get("slope", 1) <= 0:
        raise ValueError(f"slope must be positive, got {value['slope']}")
    return kind(**value)
