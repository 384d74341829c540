"""Balance: multi-label cross-entropy against n binary ones, the force on every class, and where a shared bias rests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from mpmath import mp

from gpkl_lib.explore.base import Explorable
from gpkl_lib.explore.kit import svg
from gpkl_lib.explore.traits import Ranged, RangedInt, RangedList
from gpkl_lib.losses import multilabel_cross_entropy
from gpkl_lib.smoothing import logsumexp

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
LARGEST = 50.0  # of a score


def _binary(scores: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    """n binary cross-entropies, added up; torch's own has sigmoid - 1 for the gradient of a positive, which cancels."""
    return -F.logsigmoid(torch.where(positive, scores, -scores)).sum()


LOSSES: dict[str, Loss] = {"multilabel": multilabel_cross_entropy, "binary": _binary}


class Balance(Explorable):
    """A few positives against many negatives: what each loss does to every class, and to a bias c added to all scores.

    Args:
        positives: scores of the positive classes, 1 to 4.
        rival: score of one negative class.
        crowd: score that all other negatives share.
        negatives: how many negatives there are, the rival among them; 2 to 10,000.
        shift: c, added to every score; between -12 and 6.

    Raises:
        traitlets.TraitError: a value outside these, or a score of a size above 50.

    Example:
        >>> Balance([2.0, -0.5], negatives=10).state()["negatives"]
        10
    """

    positives = RangedList(-LARGEST, LARGEST, least=1, most=4, what="1 to 4 scores")
    rival = Ranged(-LARGEST, LARGEST)
    crowd = Ranged(-LARGEST, LARGEST)
    negatives = RangedInt(2, 10_000)
    shift = Ranged(-12.0, 6.0)

    def __init__(
        self,
        positives: Sequence[float] = (2.0, -0.5),
        *,
        rival: float = 1.0,
        crowd: float = -1.0,
        negatives: int = 10,
        shift: float = 0.0,
    ) -> None:
        super().__init__(
            positives=list(map(float, positives)), rival=rival, crowd=crowd, negatives=negatives, shift=shift
        )

    def scores(self) -> tuple[torch.Tensor, torch.Tensor]:
        """All n scores without c in float64, positives first, then the rival; and which of them are positive."""
        values = [*self.positives, self.rival, *[self.crowd] * (self.negatives - 1)]
        return torch.tensor(values, dtype=torch.float64), torch.arange(len(values)) < len(self.positives)

    def forces(self, loss: str, c: float | None = None) -> torch.Tensor:
        """Minus the gradient of the loss by each of the n scores, by autograd; at the present c or another."""
        scores, positive = self.scores()
        at = (scores + (self.shift if c is None else c)).requires_grad_()
        (gradient,) = torch.autograd.grad(LOSSES[loss](at, positive), at)
        return -gradient

    def pull_and_push(self, loss: str, c: float | None = None) -> tuple[float, float]:
        """The sums of the forces up, on the positives, and down, on the negatives; both above 0."""
        forces, (_, positive) = self.forces(loss, c), self.scores()
        return forces[positive].sum().item(), -forces[~positive].sum().item()

    def rest(self, loss: str) -> float:
        """The c at which pull and push are equal.

        Multi-label: where both logsumexps are, which is a formula. Binary: by halving, with 50 digits, since saturated
        forces nearly cancel.
        """
        scores, positive = self.scores()
        if loss == "multilabel":
            return ((logsumexp(-scores[positive]) - logsumexp(scores[~positive])) / 2).item()
        with mp.workdps(50):

            def sigmoid(x: mp.mpf) -> mp.mpf:
                return 1 / (1 + mp.exp(-x))

            low, high = mp.mpf(-200), mp.mpf(200)
            while high - low > 1e-25:
                c = (low + high) / 2
                push = sigmoid(self.rival + c) + (self.negatives - 1) * sigmoid(self.crowd + c)
                low, high = (c, high) if push < sum(sigmoid(-s - c) for s in self.positives) else (low, c)
            return float(low)

    def values(self) -> dict[str, float]:
        """What stands under the picture, by torch and the library in float64.

        For both losses: the value in nats, pull of the positives, push of the negatives, and the c of rest.
        """
        scores, positive = self.scores()
        found = {}
        for name, loss in LOSSES.items():
            found[name] = loss(scores + self.shift, positive).item()
            found[f"{name}-pull"], found[f"{name}-push"] = self.pull_and_push(name)
            found[f"{name}-rest"] = self.rest(name)
        return found

    def still(self) -> str:
        """Scores on the left; on the right each class's share of all the force, for both losses."""
        shown, found = self._groups(), self.values()
        shares = {name: self._shares(name) for name in LOSSES}
        lines = [
            f"{title} {found[name]:.3f}: pull {found[f'{name}-pull']:.3g}, push {found[f'{name}-push']:.3g}, "
            f"rest at *c* = {svg.number(found[f'{name}-rest'], 2)}"
            for name, title in (("multilabel", "multi-label"), ("binary", "binary"))
        ]
        alt = (
            f"Scores of the positives {svg.listed(shown[: len(self.positives)], 1)}, of a rival negative "
            f"{svg.number(shown[-2], 1)}, of {self.negatives - 1} other negatives {svg.number(shown[-1], 1)}. "
            f"Share of all force, multi-label: {svg.listed(shares['multilabel'], 2)}; "
            f"binary: {svg.listed(shares['binary'], 2)}. {'. '.join(lines).replace('*', '')}."
        )
        parts = [*_scores(shown, len(self.positives)), *_bars(shares, len(self.positives))]
        parts += [svg.text(8, 214 + 20 * k, text, "ink", "start") for k, text in enumerate(lines)]
        return svg.picture(360, 242, alt, parts)

    def _groups(self) -> list[float]:
        return [value + self.shift for value in (*self.positives, self.rival, self.crowd)]

    def _shares(self, loss: str) -> list[float]:
        """Force on each positive, on the rival and on the whole crowd, over the sum of all their sizes."""
        forces = self.forces(loss)
        groups = torch.cat([forces[: len(self.positives) + 1], forces[len(self.positives) + 1 :].sum()[None]])
        return (groups / groups.abs().sum()).tolist()


def _scores(scores: list[float], positives: int) -> Iterator[str]:
    reach = max(1.0, *map(abs, scores))
    yield svg.text(8, 16, "scores *s* + *c*: ● positive ◆ negative", "ink", "start")
    yield svg.line(8, 104, 168, 104)
    for i, score in enumerate(scores):
        at, y = 8 + 160 * (i + 0.5) / len(scores), 104 - 66 * score / reach
        yield svg.line(at, 104, at, y, "grey", width=1.5)
        yield svg.dot(at, y, "blue") if i < positives else svg.dot(at, y, "vermilion", "diamond")
        yield svg.text(at, 190, _name(i, positives, len(scores)))


def _bars(shares: dict[str, list[float]], positives: int) -> Iterator[str]:
    n = len(shares["binary"])
    yield svg.text(204, 16, "force: multi-label █ binary □", "ink", "start")
    yield svg.line(200, 104, 352, 104)
    for i in range(n):
        at = 200 + 152 * (i + 0.5) / n
        for k, (name, draw) in enumerate((("multilabel", svg.box), ("binary", svg.outline))):
            height = 66 * shares[name][i]
            left = at + (k - 1) * 50 / n
            yield draw(left, 104 - max(height, 0), 46 / n, abs(height), "purple" if k else "green")
        yield svg.text(at, 190, _name(i, positives, n))


def _name(i: int, positives: int, n: int) -> str:
    return f"*s*{'₁₂₃₄'[i]}" if i < positives else "rival" if i == n - 2 else "crowd"
