"""Balance, and maths/balance.js: two losses, their forces, and where a shared bias rests."""

import itertools

import torch
from specimen import Specimen

from gpkl_lib import multilabel_cross_entropy
from gpkl_lib.explore import Balance
from gpkl_lib.explore.balance import LOSSES

SPECIMEN = Specimen(
    settings=[
        Balance(),
        Balance([0], rival=0, crowd=0, negatives=9999),
        Balance([4, 3, -1], rival=1, crowd=-4, negatives=9997, shift=-3.7),
        Balance([50, -50], rival=50, crowd=-50, negatives=10_000, shift=6),
        Balance([-12.5, 0.1, 2.25, 30], rival=-30, crowd=12, negatives=2, shift=-12),
        Balance([1e-9, 0], rival=-1e-9, crowd=40, negatives=777, shift=0.3),
    ],
    line="multilabel",
    slider="bias c of all scores",
    stops=9,
    drags=[("positive s₁ + c", 52, 3.0), ("crowd of negatives + c", -26, -1.5)],
    absolute=1e-13,
)

CASES = [
    ([0.0], [0.0, 0.0], [1, 9998]),
    ([2.0, -0.5], [1.0, -1.0], [1, 9]),
    ([4.0, 3.0, -1.0], [1.0, -4.0], [1, 9996]),
    ([1e3, -1e3], [1e3, -1e3], [1, 50]),
    ([-1e3], [-1e3, 999.5], [1, 3]),
    ([1e-9, 36.0], [-36.0, -1e-9], [1, 1]),
    ([30.0, 31.0, 32.0, 33.0], [-30.0, -29.5], [1, 5000]),
]


def spread(positives, negatives, counts):
    """Every class on its own, and which are positive."""
    scores = positives + [s for s, count in zip(negatives, counts, strict=True) for _ in range(count)]
    return torch.tensor(scores, dtype=torch.float64), torch.arange(len(scores)) < len(positives)


def forces(loss, positives, negatives, counts):
    """Minus the gradient by autograd, summed over each group of negatives."""
    scores, positive = spread(positives, negatives, counts)
    (gradient,) = torch.autograd.grad(loss(scores.requires_grad_(), positive), scores)
    return [-part.sum().item() for part in gradient.split([*[1] * len(positives), *counts])]


def golden():
    for case in CASES:
        scores, positive = spread(*case)
        nothing = torch.zeros_like(positive)
        for x, counts in ((case[0], [1] * len(case[0])), (case[1], case[2])):
            each = torch.tensor(x, dtype=torch.float64).repeat_interleave(torch.tensor(counts))
            yield (
                "maths/balance",
                "logOnePlus",
                [x, counts],
                multilabel_cross_entropy(each, nothing[: len(each)]).item(),
            )
        for name, loss in LOSSES.items():
            found = forces(loss, *case)
            yield "maths/balance", f"{name}Loss", list(case), loss(scores, positive).item()
            yield "maths/balance", f"{name}Forces", list(case), found, 1e-290
            up, down = sum(x for x in found if x > 0), -sum(x for x in found if x < 0)
            yield "maths/balance", "pull", [found], up
            yield "maths/balance", "push", [found], down
            yield "maths/balance", "tilt", [found], (up - down) / (up + down), 1e-15
    for positives, rival, crowd, negatives in itertools.product(
        ([0.0], [3.0, -2.0], [50.0, 49.0]), (0.0, 7.5), (0.0, -50.0), (2, 10_000)
    ):
        widget, counts = Balance(positives, rival=rival, crowd=crowd, negatives=negatives), [1, negatives - 1]
        for name in LOSSES:  # the library's by search; 0 is where 1e-13 is as near as two searches come
            yield "maths/balance", f"{name}Rest", [positives, [rival, crowd], counts], widget.rest(name), 1e-12
