"""Checks of the labelled equations of the chapter "R-Drop"."""

import math

import sympy as sp
import torch
import torch.nn.functional as F

from gpkl_lib import multilabel_cross_entropy, rdrop_loss, symmetric_kl
from gpkl_lib.chapters.formulas import r_drop as proofs
from gpkl_lib.derivations import equation

TRUE_AS_WELL = {("eq-rdrop-variance", 1): (1, "O stands for a remainder of either sign")}


def _views():
    torch.manual_seed(0)
    return torch.randn(6, 5, dtype=torch.float64), 3 * torch.randn(6, 5, dtype=torch.float64), torch.arange(6) % 5


def _paper(s, t, y, alpha):
    """The paper's equation 4, averaged over the batch, with torch's own KL."""
    log_p, log_q = s.log_softmax(-1), t.log_softmax(-1)
    kl = [F.kl_div(b, a, log_target=True, reduction="batchmean") for a, b in ((log_p, log_q), (log_q, log_p))]
    return F.cross_entropy(s, y) + F.cross_entropy(t, y) + alpha / 2 * sum(kl)


@equation("eq-rdrop-paper", shows=proofs.paper)
def check_paper():
    """At one example of two classes the formula is the sum of its parts written out by hand."""
    s, t = sp.symbols("s t", real=True)
    p, q = 1 / (1 + sp.exp(-s)), 1 / (1 + sp.exp(-t))
    kl = p * sp.log(p / q) + (1 - p) * sp.log((1 - p) / (1 - q))
    reverse = q * sp.log(q / p) + (1 - q) * sp.log((1 - q) / (1 - p))
    by_hand = -sp.log(p) - sp.log(q) + sp.Rational(7, 20) * (kl + reverse)
    point = {s: sp.Rational(3, 2), t: sp.Rational(-4, 5)}
    logits = [torch.tensor([[float(point[x]), 0.0]], dtype=torch.float64) for x in (s, t)]
    difference = abs(float(by_hand.subs(point).evalf(30)) - float(_paper(*logits, torch.tensor([0]), 0.7)))
    assert difference < 1e-13, difference
    return f"{proofs.paper.check()}; torch at two classes within 1e-13 of it"


@equation("eq-rdrop", shows=proofs.loss)
def check_rdrop():
    """Half of the paper's loss, value and gradient, against torch's cross-entropy and KL."""
    s, t, y = _views()
    s.requires_grad_(), t.requires_grad_()
    for alpha in (0.0, 0.5, 4.0, 100.0):
        ours = rdrop_loss(s, t, lambda x: F.cross_entropy(x, y), alpha=alpha, activation="softmax").loss
        paper = _paper(s, t, y, alpha) / 2
        pairs = zip(torch.autograd.grad(ours, (s, t)), torch.autograd.grad(paper, (s, t)), strict=True)
        assert torch.isclose(ours, paper, rtol=1e-12), alpha
        assert all(torch.allclose(a, b, rtol=1e-10, atol=1e-12) for a, b in pairs), alpha
    return f"{proofs.loss.check()}; gpkl_lib.rdrop_loss and its gradient, four alphas, within 1e-10 of half the paper's"


@equation("eq-rdrop-gradient", shows=proofs.gradient)
def check_gradient():
    """Autograd through both sides, and how much of it is left where one side is detached and the views nearly agree."""
    s, t, _ = _views()
    s.requires_grad_()
    (ours,) = torch.autograd.grad(symmetric_kl(s, t, activation="sigmoid"), s)
    u = s.sigmoid()
    formula = u - t.sigmoid() + u * (1 - u) * (s - t)
    assert torch.allclose(ours, formula, rtol=1e-12, atol=1e-15)
    near = (s + 1e-6).detach()
    (whole,) = torch.autograd.grad(symmetric_kl(s, near, activation="sigmoid"), s)
    assert torch.allclose(s.sigmoid() - near.sigmoid(), whole / 2, rtol=1e-5)
    return f"{proofs.gradient.check()}; autograd within 1e-12 of it; the first difference is half of it near s = t"


@equation("eq-rdrop-variance", shows=proofs.variance)
def check_variance():
    """gpkl_lib's divergence of nearby scores against the first term."""
    m = torch.linspace(-8, 8, 33, dtype=torch.float64)
    for g in (1e-3, 1e-2):
        ours = symmetric_kl(m + g / 2, m - g / 2, activation="sigmoid", reduction="none")
        assert torch.allclose(ours, m.sigmoid() * (-m).sigmoid() * g**2, rtol=g**2)
    return f"{proofs.variance.check()}; gpkl_lib within g^2 of it at g = 1e-3 and 1e-2"


@equation("eq-rdrop-plateau", shows=proofs.plateau)
def check_plateau():
    """gpkl_lib's cross-entropy of a row with one constant score has its minimum there."""
    for p, n in ((1, 210), (3, 210), (10, 210), (2, 55), (28, 55)):
        best = math.log(p / (n - p)) / 2
        target = (torch.arange(n) < p)[None]
        rows = [torch.full((1, n), best + d, dtype=torch.float64) for d in (0.0, -3.0, -0.1, 0.1, 3.0)]
        lowest, *others = (multilabel_cross_entropy(row, target).item() for row in rows)
        assert abs(lowest - 2 * math.log(1 + math.sqrt(p * (n - p)))) < 1e-13, (p, n)
        assert min(others) > lowest, (p, n)
    return f"{proofs.plateau.check()}; gpkl_lib's cross-entropy lowest there at five pairs (P, N)"
