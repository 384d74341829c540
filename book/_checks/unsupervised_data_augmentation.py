"""Checks of the labelled equations of the chapter "Unsupervised data augmentation"."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli
from torch.distributions import kl_divergence as torch_kl

from gpkl_lib import kl_divergence, symmetric_kl, uda_loss
from gpkl_lib.chapters.formulas import unsupervised_data_augmentation as proofs
from gpkl_lib.consistency import annealing_threshold
from gpkl_lib.derivations import equation

COLD = "what is multiplied by w vanishes in the limit, with either sign"
TRUE_AS_WELL = {("A cold target is a label", 0): (1, COLD), ("A cold target is a label", 1): (2, COLD)}


def _scores():
    """Scores of copies and of sentences, ordinary and far, and the temperatures tried."""
    draw = torch.Generator().manual_seed(0)
    s, t = (torch.randn(2, 600, generator=draw, dtype=torch.float64) * torch.tensor([[2.0], [2.0]])).unbind()
    far = torch.tensor([1e3, -1e3, 30.0, -30.0], dtype=torch.float64)
    return torch.cat([s, far, far]), torch.cat([t, far, -far]), (0.1, 0.4, 1.0, 5.0)


def _gradient(loss, x):
    return torch.autograd.grad(loss, x)[0]


@equation("eq-uda-one-sided", shows=proofs.one_sided.claim(0, -1))
def check_one_sided():
    """gpkl_lib's loss of each span, and torch's Bernoulli distributions, against softplus(s) - v s - H."""
    s, t, temperatures = _scores()
    for T in temperatures:
        v = torch.sigmoid(t / T)
        entropy = v * F.softplus(-t / T) + torch.sigmoid(-t / T) * F.softplus(t / T)
        ours = uda_loss(s, t, activation="sigmoid", temperature=T, reduction="none").loss
        assert torch.allclose(ours, F.softplus(s) - v * s - entropy, rtol=1e-11, atol=1e-13), T
        near = s.abs() < 20
        theirs = torch_kl(Bernoulli(logits=t[near] / T), Bernoulli(logits=s[near]))
        assert torch.allclose(ours[near], theirs, rtol=1e-9, atol=1e-12), T
    return f"{proofs.one_sided.check()}; gpkl_lib within 1e-11 of it at four temperatures, torch's Bernoulli 1e-9"


@equation("eq-uda-gradient", shows=proofs.gradient.claim(0, -1))
def check_gradient():
    """Autograd through the library, and no gradient to the target."""
    s, t, temperatures = _scores()
    for T in temperatures:
        x, y = s.clone().requires_grad_(), t.clone().requires_grad_()
        loss = uda_loss(x, y, activation="sigmoid", temperature=T, reduction="sum").loss
        pulled, untouched = torch.autograd.grad(loss, (x, y), allow_unused=True)
        assert untouched is None
        assert torch.allclose(pulled, s.sigmoid() - (t / T).sigmoid(), rtol=1e-10, atol=1e-12), T
    return f"{proofs.gradient.check()}; autograd within 1e-10 of it; none reaches the target"


@equation("eq-uda-both", shows=proofs.both)
def check_both():
    """Both directions by the library add up to its symmetric divergence."""
    s, t, _ = _scores()
    each = [kl_divergence(x, y, activation="sigmoid", reduction="none") for x, y in ((t, s), (s, t))]
    whole = symmetric_kl(s, t, activation="sigmoid", reduction="none")
    assert torch.allclose(sum(each), whole, rtol=1e-11)
    assert (each[0] >= 0).all()
    assert (each[0] <= whole * (1 + 1e-11)).all()
    return f"{proofs.both.check()}; gpkl_lib's two directions within 1e-11 of its symmetric_kl"


@equation("eq-uda-sharp", shows=proofs.sharp)
def check_sharp():
    """The library's loss of an undecided copy: log 2 less the entropy of a target that the bound holds near a step."""
    for t in (1e-2, 0.5, 3.0):
        for T in (1e-3, 0.1, 0.4, 1.0, 10.0):
            w = torch.sigmoid(torch.tensor(-t / T, dtype=torch.float64)).item()
            assert 0 <= w <= math.exp(-t / T)
            x = torch.zeros(1, dtype=torch.float64)
            loss = uda_loss(x, x + t, activation="sigmoid", temperature=T, reduction="sum").loss
            lost = math.log(2) - loss.item()
            assert -1e-13 <= lost <= (1 + t / T) * math.exp(-t / T) + 1e-12, (t, T)
    return f"{proofs.sharp.check()}; gpkl_lib's target has at most (1 + t/T) e^(-t/T) nats of entropy"


@equation("eq-uda-pseudo", shows=proofs.pseudo.claim(0, -1))
def check_pseudo():
    """The library's loss with a very cold target is torch's binary cross-entropy with the target's decisions."""
    s, t, _ = _scores()
    t = t.masked_fill(t.abs() < 1e-2, 1.0)
    x = s.clone().requires_grad_()
    cold = uda_loss(x, t, activation="sigmoid", temperature=1e-5, reduction="sum").loss
    labels = (t > 0).double()
    wanted = F.binary_cross_entropy_with_logits(x, labels, reduction="sum")
    assert torch.isclose(cold, wanted, rtol=1e-12)
    assert torch.allclose(_gradient(cold, x), _gradient(wanted, x), atol=1e-11)
    return f"{proofs.pseudo.check()}; gpkl_lib at T = 1e-5 within 1e-11 of torch's binary cross-entropy, gradient too"


@equation("eq-uda-wrong-side", shows=proofs.wrong_side)
def check_wrong_side():
    """Where the two losses come to rest, found by descent."""
    for T in (0.4, 2.0):
        t = torch.tensor([-3.0, -0.5, 1.0, 2.0], dtype=torch.float64)
        for right, rest in ((True, t / T), (False, t * T)):
            x = torch.zeros_like(t, requires_grad=True)
            optimiser = torch.optim.LBFGS([x], lr=1, max_iter=200, tolerance_grad=1e-14, tolerance_change=0)

            def closure(x=x, t=t, T=T, right=right, optimiser=optimiser):
                optimiser.zero_grad()
                one, other = (t / T, x) if right else (t, x / T)
                loss = kl_divergence(one, other, activation="sigmoid")
                loss.backward()
                return loss

            optimiser.step(closure)
            assert torch.allclose(x.detach(), rest, atol=1e-5), (T, right)
    return f"{proofs.wrong_side.check()}; descent comes to rest at t/T on the right side and at T t on the wrong one"


@equation("eq-uda-both-learn", shows=proofs.both_learn)
def check_both_learn():
    """Autograd through both sides of the library's KL at one shared score."""
    for T in (0.1, 0.4, 2.0):
        x = torch.linspace(-6, 6, 121, dtype=torch.float64).requires_grad_()
        y = x / T
        slope = y.sigmoid() * (-y).sigmoid()
        formula = x.sigmoid() - y.sigmoid() + slope / T * (y - x)
        ours = _gradient(kl_divergence(y, x, activation="sigmoid"), x)
        assert torch.allclose(ours, formula, rtol=1e-9, atol=1e-11), T
    return f"{proofs.both_learn.check()}; autograd through both sides within 1e-9 of it"


@equation("eq-uda-division", shows=proofs.division)
def check_division():
    """The library's two reductions and the share that it reports."""
    s, t, _ = _scores()
    for threshold in (0.0, 0.8, 0.95, 0.9999):
        options = {"activation": "sigmoid", "temperature": 0.4, "threshold": threshold}
        by_all = uda_loss(s, t, reduction="mean", **options)
        by_sure = uda_loss(s, t, reduction="mean_confident", **options)
        sure = round(by_all.confident.item() * len(s))
        assert sure == (torch.sigmoid(t.abs()) > threshold).sum(), threshold
        assert torch.isclose(by_all.loss, sure / len(s) * by_sure.loss, rtol=1e-12), threshold
    return f"{proofs.division.check()}; gpkl_lib's two reductions and its share within 1e-12 of it"


@equation("eq-uda-annealing", shows=proofs.annealing)
def check_annealing():
    """The library's schedules."""
    for K in (2, 5, 1000):
        for tau in (0.0, 0.1, 0.5, 0.9, 1.0):
            for schedule, rise in {
                "log": 1 - math.exp(-5 * tau),
                "linear": tau,
                "exp": math.exp(5 * (tau - 1)),
            }.items():
                ours = annealing_threshold(tau, classes=K, schedule=schedule)
                assert math.isclose(ours, rise * (1 - 1 / K) + 1 / K, rel_tol=1e-14), (K, tau, schedule)
    return f"{proofs.annealing.check()}; gpkl_lib's annealing_threshold within 1e-14 of it"


@equation("eq-uda-classes", shows=proofs.classes.claim(0, -1))
def check_classes():
    """Autograd through the library's softmax form."""
    draw = torch.Generator().manual_seed(1)
    s, t = (3 * torch.randn(2, 50, 7, generator=draw, dtype=torch.float64)).unbind()
    for T in (0.1, 0.4, 1.0):
        x = s.clone().requires_grad_()
        loss = uda_loss(x, t, activation="softmax", temperature=T, reduction="sum").loss
        wanted = s.softmax(-1) - (t / T).softmax(-1)
        assert torch.allclose(_gradient(loss, x), wanted, rtol=1e-9, atol=1e-12), T
    return f"{proofs.classes.check()}; autograd within 1e-9 of it at three temperatures"
