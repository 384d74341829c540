"""Choose your f, and the family of maths/family.js."""

import itertools

import torch
from specimen import Specimen

from gpkl_lib import symmetric_kl
from gpkl_lib.explore import ChooseYourF
from gpkl_lib.explore.choose_your_f import FAMILY

SPECIMEN = Specimen(
    settings=[
        ChooseYourF(),
        ChooseYourF("step", -0.5, 7),
        ChooseYourF("clipped", 3, 7),
        ChooseYourF("tanh", 1.2, 1.1, temperature=3),
        ChooseYourF("identity", -1000, 1000, temperature=0.05),
        ChooseYourF("sigmoid", 30, 31),
        ChooseYourF("sigmoid", 1000, -1000, temperature=20),
        ChooseYourF("clipped", 2, -2),
        ChooseYourF("sigmoid", 0.7, 0.7, temperature=0.05),
    ],
    line="divergence",
    slider="temperature T",
    stops=7,
    absolute={"*": 1e-14, "divergence": 1e-28},
)
LOGITS = (-1000.0, -31.0, -8.0, -2.0, -0.5, -1e-9, 0.0, 1e-9, 0.3, 2.0, 2.1, 8.0, 30.0, 1000.0)


def slopes(f, x, T):
    """First and second derivative of f(x/T), by autograd."""
    at = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    value = FAMILY[f](at / T) + 0 * at**3
    (first,) = torch.autograd.grad(value, at, create_graph=True)
    (second,) = torch.autograd.grad(first, at)
    return first.item(), second.item()


def golden():
    module = "maths/family"
    for f, x, T in itertools.product(FAMILY, LOGITS, (0.05, 1.0, 7.0)):
        first, second = slopes(f, x, T)
        yield module, "decision", [f, x, T], FAMILY[f](torch.tensor(x, dtype=torch.float64) / T).item()
        yield module, "decisionSlope", [f, x, T], first, 1e-14  # torch's y (1 - y) has no more digits near y = 1
        yield module, "decisionBend", [f, x, T], second, 1e-12
    pairs = [*itertools.product(LOGITS[::2], LOGITS[1::2]), (30.0, 31.0), (0.5, 0.5 + 1e-9), (12.0, 14.0), (2.0, 2.0)]
    for f, (s, t), T in itertools.product(FAMILY, pairs, (0.05, 1.0, 20.0)):
        value = ChooseYourF(f, s, t, temperature=T).values()
        noise = 1e-15 * (1 + abs(s - t) / T)  # of torch's y (1 - y), times the distance
        yield module, "familyDivergence", [f, s, t, T], value["divergence"]
        yield module, "familyGradient", [f, s, t, T], value["gradient"], noise
        yield module, "familyCurvature", [f, s, t, T], value["curvature"], noise / T
        yield module, "rivalGradient", [f, s, t, T], value["rival"], 1e-13
        if s != t:
            yield module, "decisionGap", [f, s, t, T], value["divergence"] / (T * ((s - t) / T))
    yield module, "decided", [[0.0, 1e-9, -1e-9, 2.0], 0.0], [1, 3]  # a score of 0 is no span
    yield module, "decided", [[0.0, 2.0, 3.0], -2.0], [2]
    yield module, "flipped", [[0.0, 1.0, -1.0], [1e-9, 0.0, -1.0], 0.0], 2
    draw = torch.Generator().manual_seed(0)
    for size, c, activation in itertools.product((1, 10, 1e3), (0.0, 1.5, -12.0), ("softmax", "sigmoid")):
        s, t = size * torch.randn(2, 21, generator=draw, dtype=torch.float64)
        for other in (s, t):
            both = [s.tolist(), other.tolist(), c]
            divergence = symmetric_kl(s, other + c, activation=activation).item()
            yield module, "boardDivergence", [*both, activation], divergence, 1e-24
            yield module, "flipped", both, int(((s > 0) != (other + c > 0)).sum())
            yield module, "decided", [other.tolist(), c], (other + c > 0).nonzero().flatten().tolist()
