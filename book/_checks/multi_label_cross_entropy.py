"""The checks of the chapter "Multi-label cross-entropy": each proves its statement and meets the library at it."""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from mpmath import MPContext

from gpkl_lib import multilabel_cross_entropy, sparse_multilabel_cross_entropy
from gpkl_lib.chapters.formulas import multi_label_cross_entropy as forms
from gpkl_lib.derivations import equation

Tensor = torch.Tensor
mp = MPContext()  # a context of its own, so that no other check changes these digits
mp.dps = 60


def rows(count: int = 40, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """Scores and which are positive: none, all, +-1000, then random ones, 1 to 9 classes at sizes from 0.01 to 100."""
    for scores, labels in (
        ([0.0, 0.0, 0.0], [0, 0, 0]),
        ([2.0, -1.0], [1, 1]),
        ([1000.0, -1000.0, 999.0], [0, 1, 1]),
        ([1000.0, -1000.0, 0.5], [1, 0, 0]),
        ([-40.0, 40.0], [0, 1]),
    ):
        yield torch.tensor(scores, dtype=torch.float64), torch.tensor(labels, dtype=torch.bool)
    rng = random.Random(seed)
    for _ in range(count):
        n, size = rng.randint(1, 9), 10 ** rng.uniform(-2, 2)
        scores = [rng.gauss(0, size) for _ in range(n)]
        yield torch.tensor(scores, dtype=torch.float64), torch.tensor([rng.random() < 0.3 for _ in range(n)])


def truth(s: Tensor, positive: Tensor) -> tuple[mp.mpf, mp.mpf]:
    """Both terms of the loss with 60 digits."""
    sums = [mp.mpf(1), mp.mpf(1)]
    for score, label in zip(s.tolist(), positive.tolist(), strict=True):
        sums[label] += mp.exp(-mp.mpf(score) if label else mp.mpf(score))
    return mp.log(sums[0]), mp.log(sums[1])


def gradient(loss: object, s: Tensor, positive: Tensor) -> Tensor:
    """By autograd."""
    s = s.clone().requires_grad_()
    (found,) = torch.autograd.grad(loss(s, positive), s)  # type: ignore[operator]
    return found


def binary(s: Tensor, positive: Tensor) -> Tensor:
    """n binary cross-entropies, added up; torch's own function rounds one below 1e-16 to 0."""
    return -F.logsigmoid(torch.where(positive, s, -s)).sum()


@equation("eq-mlce-one", shows=forms.one_target.claim(0, -1))
def one() -> str:
    proof, worst = forms.one_target.check(), 0.0
    for s, _ in rows():
        for k in range(len(s)):
            formula = mp.log(mp.fsum(mp.exp(mp.mpf(v) - mp.mpf(s[k].item())) for v in s.tolist()))
            worst = max(worst, abs(float(F.cross_entropy(s, torch.tensor(k)) - float(formula))) / (1 + float(formula)))
    assert worst < 1e-15
    return f"{proof}; torch's cross_entropy within {worst:.0e} of it"


@equation("eq-mlce-ranking", shows=forms.ranking)
def ranking() -> str:
    return str(forms.ranking.check())


@equation("eq-mlce-pairs", shows=forms.threshold)
def pairs() -> str:
    return str(forms.threshold.check())


@equation("eq-mlce", shows=forms.loss)
def loss() -> str:
    proof, worst = f"{forms.falls_apart.check()}; {forms.loss.check()}", 0.0
    for s, positive in rows():
        right = sum(truth(s, positive))
        for found in (
            multilabel_cross_entropy(s, positive),
            sparse_multilabel_cross_entropy(s[None], F.pad(positive.nonzero(), (1, 0))),
        ):
            worst = max(worst, float(abs(mp.mpf(found.item()) - right) / right))
    assert worst < 1e-15
    return f"{proof}; gpkl_lib, dense and sparse, within a relative {worst:.0e} of it, none and all positive included"


@equation("eq-mlce-hard", shows=forms.hard)
def hard() -> str:
    finding, worst = forms.hard.check(), 0.0
    for s, positive in rows():
        T = 1e-9 * max(1.0, s.abs().max().item())
        limit = sum(max(0.0, x.max().item()) for x in (s[~positive], -s[positive]) if len(x))
        found = T * multilabel_cross_entropy(s / T, positive).item()
        worst = max(worst, abs(found - limit) / max(1.0, limit))
    assert worst < 1e-7
    return f"{finding}; gpkl_lib at T = 1e-9 within {worst:.0e} of it"


@equation("eq-mlce-bounds", shows=forms.bounds)
def bounds() -> str:
    return str(forms.bounds.check())


@equation("eq-mlce-gradient", shows=forms.gradient.claim(0, -1))
def by_autograd() -> str:
    proof, worst = forms.gradient.check(), 0.0
    for s, positive in rows():
        parts, found = truth(s, positive), gradient(multilabel_cross_entropy, s, positive).tolist()
        for score, label, slope in zip(s.tolist(), positive.tolist(), found, strict=True):
            right = -mp.exp(-score - parts[1]) if label else mp.exp(score - parts[0])
            worst = max(worst, float(abs(slope - right)))
    assert worst < 1e-14
    return f"{proof}; autograd through gpkl_lib within {worst:.0e} of it"


@equation("eq-mlce-push", shows=forms.push)
def push() -> str:
    finding, largest = forms.push.check(), 0.0
    for s, positive in rows():
        slopes, parts = gradient(multilabel_cross_entropy, s, positive), truth(s, positive)
        for side, part in ((slopes[~positive], parts[0]), (-slopes[positive], parts[1])):
            largest = max(largest, side.sum().item())
            assert abs(side.sum().item() + float(mp.expm1(-part))) < 1e-14  # 1 - e^-part, of either side
    assert largest <= 1 + 1e-15
    return f"{finding}; either side's sum by autograd is that share, the largest {largest:.3f}"


@equation("eq-mlce-binary", shows=forms.below_binary)
def below_binary() -> str:
    finding = forms.below_binary.check()
    assert all(multilabel_cross_entropy(s, y) <= binary(s, y) * (1 + 1e-14) for s, y in rows())
    return f"{finding}; so it is for gpkl_lib and torch"


@equation("eq-mlce-binary-gradient", shows=forms.binary_gradient)
def binary_gradient() -> str:
    finding = forms.binary_gradient.check()
    worst = max((gradient(binary, s, y) - (torch.sigmoid(s) - y.double())).abs().max().item() for s, y in rows())
    assert worst < 1e-15
    return f"{finding}; autograd through torch's loss within {worst:.0e} of it"


@equation("eq-mlce-errors", shows=forms.errors)
def errors() -> str:
    finding, tightest = forms.errors.check(), float("inf")
    for s, positive in rows():
        wrong = ((s > 0) & ~positive).sum(), ((s <= 0) & positive).sum()
        slack = sum(truth(s, positive)) - sum(mp.log(1 + int(x)) for x in wrong)
        assert slack >= 0
        tightest = min(tightest, float(slack))
    return f"{finding}; least slack of gpkl_lib's rows {tightest:.0e}"


@equation("eq-mlce-sparse", shows=forms.sparse)
def sparse() -> str:
    finding, worst = forms.sparse.check(), 0.0
    for s, positive in rows():
        if positive.any() and s.abs().max() < 5:  # in float64 the difference keeps digits only here
            a = torch.logsumexp(torch.cat([s.new_zeros(1), s]), 0)
            found = a + torch.log(-torch.expm1(torch.logsumexp(s[positive], 0) - a))
            worst = max(worst, abs(found.item() - float(truth(s, positive)[0])))
    assert 0 < worst < 1e-12
    return f"{finding}; in float64 within {worst:.0e} for scores below 5"
