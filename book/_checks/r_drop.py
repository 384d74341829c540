"""Checks of the labelled equations of the chapter "R-Drop"."""

import mpmath as mp
import sympy as sp
import torch
import torch.nn.functional as F

from gpkl_lib import rdrop_loss
from gpkl_lib.derivations import equation


def _views():
    torch.manual_seed(0)
    return torch.randn(6, 5, dtype=torch.float64), 3 * torch.randn(6, 5, dtype=torch.float64), torch.arange(6) % 5


def _paper(s, t, y, alpha):
    """The paper's equation 4, averaged over the batch, with torch's own KL."""
    log_p, log_q = s.log_softmax(-1), t.log_softmax(-1)
    kl = [F.kl_div(b, a, log_target=True, reduction="batchmean") for a, b in ((log_p, log_q), (log_q, log_p))]
    return F.cross_entropy(s, y) + F.cross_entropy(t, y) + alpha / 2 * sum(kl)


@equation("eq-rdrop-paper")
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
    return "two classes, written out with SymPy: equal to 1e-13"


@equation("eq-rdrop")
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
    return "half of the paper's loss and gradient, four alphas: equal to 1e-10"


@equation("eq-rdrop-gradient")
def check_gradient():
    """SymPy differentiates D; near s = t the first term is half of the whole."""
    s, t = sp.symbols("s t", real=True)
    sigma = lambda x: 1 / (1 + sp.exp(-x))  # noqa: E731
    divergence = (sigma(s) - sigma(t)) * (s - t)
    claimed = sigma(s) - sigma(t) + sigma(s) * (1 - sigma(s)) * (s - t)
    assert sp.simplify(sp.diff(divergence, s) - claimed) == 0
    slopes = [sp.diff(x, s).subs(s, t) for x in (sigma(s) - sigma(t), claimed)]  # both vanish at s = t
    assert sp.simplify(2 * slopes[0] - slopes[1]) == 0
    return "exact, by SymPy; the share of the first term tends to 1/2"


@equation("eq-rdrop-variance")
def check_variance():
    """The Taylor series of D in g at s, t = m +- g/2 has no g^3; and E (s - t)^2 is twice the variance."""
    m, g = sp.symbols("m g", real=True)
    sigma = lambda x: 1 / (1 + sp.exp(-x))  # noqa: E731
    divergence = (sigma(m + g / 2) - sigma(m - g / 2)) * g
    series = sp.series(divergence, g, 0, 4).removeO()
    assert sp.simplify(series - sp.diff(sigma(m), m) * g**2) == 0
    mean, variance = sp.symbols("mean variance", real=True)
    second = variance + mean**2
    assert sp.expand(second - 2 * mean * mean + second) == 2 * variance
    return "series in g exact to the third order, by SymPy; two independent draws differ by 2 Var"


@equation("eq-rdrop-plateau")
def check_plateau():
    """The closed form is the minimum: stationary, convex, and equal to 50 digits at several P and N."""
    mp.mp.dps = 60
    for p, n in ((1, 210), (3, 210), (10, 210), (2, 55), (1, 10**6), (28, 55)):

        def loss(c, p=p, n=n):
            return mp.log(1 + (n - p) * mp.e**c) + mp.log(1 + p * mp.e**-c)

        best = mp.log(mp.mpf(p) / (n - p)) / 2
        assert abs(mp.diff(loss, best)) < mp.mpf(10) ** -20, (p, n)
        assert mp.diff(loss, best, 2) > 0, (p, n)
        assert abs(loss(best) - 2 * mp.log(1 + mp.sqrt(p * (n - p)))) < mp.mpf(10) ** -50, (p, n)
        assert all(loss(best + d) > loss(best) for d in (-3, -0.1, 0.1, 3)), (p, n)
    return "stationary, a minimum, and the closed form to 50 digits at six pairs (P, N)"
