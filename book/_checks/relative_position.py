"""The checks of the chapter "What relative position cannot see": its objects, gpkl_lib and the probe beside them."""

from __future__ import annotations

import torch

from gpkl_lib import multilabel_cross_entropy, plateau_bound, softmax
from gpkl_lib.chapters.formulas import relative_position as proofs
from gpkl_lib.chapters.recorders.positions import LENGTH, WIDTH, Attention
from gpkl_lib.derivations import equation

TRUE_AS_WELL = {("eq-position-common", 1): (1, "a common part of either sign falls out")}


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    """Normal numbers in float64, the same every time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def attention(*, causal: bool = False) -> Attention:
    """The probe's softmax attention with a random bias for each distance, in float64."""
    torch.manual_seed(0)
    return Attention("softmax", "bias", causal, zero=False).double()


@equation("eq-position-output", shows=proofs.output)
def output() -> str:
    a, v = draw(6, 6).sigmoid(), draw(6, 3, seed=1)
    for c in (-2.0, 0.0, 5.0):
        torch.testing.assert_close(a @ v, c * a.sum(-1, keepdim=True) + a @ (v - c), rtol=0, atol=1e-14)
    return f"{proofs.output.check()}; a board of sigmoids, three features, within 1e-14 of it"


@equation("eq-position-rows", shows=proofs.rows)
def rows() -> str:
    s = 3 * draw(1000, 7)
    torch.testing.assert_close(softmax(s).sum(-1), torch.ones(1000, dtype=torch.float64), rtol=0, atol=1e-15)
    sums = torch.nn.functional.normalize(s.exp(), dim=-1).sum(-1)
    assert (sums > 1).all()
    assert (sums < 7**0.5).all()
    return f"{proofs.rows.check()}; gpkl_lib's softmax within 1e-15 of it, 1000 l2 rows below sqrt 7"


@equation("eq-position-common", shows=proofs.common)
def common() -> str:
    """What two positions of the probe's softmax differ by does not change with the common part of the tokens."""
    net = attention()
    s, t, v = draw(3, 9)
    for f, kept in ((softmax, 0.0), (torch.sigmoid, 5 * (s.sigmoid() - t.sigmoid()).sum().item())):
        gap = ((f(s) - f(t)) @ (v + 5) - (f(s) - f(t)) @ v).item()
        assert abs(gap - kept) < 1e-13
    x = draw(1, WIDTH).expand(LENGTH, WIDTH)
    spread = (net(x).amax(0) - net(x).amin(0)).max().item()
    assert spread < 1e-14
    return f"{proofs.common.check()}; outputs of the probe's attention on equal tokens {spread:.0e} apart"


@equation("eq-position-first", shows=proofs.first)
def first() -> str:
    v = torch.full((40,), 2.0, dtype=torch.float64)
    v[0] = -1.0
    scores = torch.zeros(40, 40, dtype=torch.float64).masked_fill(torch.ones(40, 40).triu(1).bool(), -torch.inf)
    o, n = scores.softmax(-1) @ v, torch.arange(1, 41, dtype=torch.float64)
    torch.testing.assert_close(o, 2 - 3 / n, rtol=0, atol=1e-14)
    torch.testing.assert_close(o[:-1] - o[1:], -3 / (n * (n + 1))[:-1], rtol=0, atol=1e-14)
    return f"{proofs.first.check()}; a causal softmax over 40 tokens within 1e-14 of it"


@equation("eq-position-plateau", shows=proofs.plateau)
def plateau() -> str:
    """gpkl_lib's cross-entropy is lowest where it says, and gpkl_lib.plateau_bound is that value."""
    generator = torch.Generator().manual_seed(0)
    for trial in range(10):
        P, N = torch.randint(1, 9, (2, 4), generator=generator)
        groups = torch.repeat_interleave(torch.arange(4).repeat(2), torch.cat([P, N]))
        target = torch.arange(len(groups)) < P.sum()
        best = (P / N).double().log() / 2
        reached = multilabel_cross_entropy(best[groups], target).item()
        assert abs(reached - plateau_bound(P, N).item()) < 1e-13
        assert multilabel_cross_entropy((best + 0.1 * draw(4, seed=trial))[groups], target) > reached
    return f"{proofs.plateau.check()}; gpkl_lib's cross-entropy reaches gpkl_lib.plateau_bound, ten boards"
