"""The checks of the chapter "Virtual adversarial training": each proves its object and meets the library at it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch

from gpkl_lib import kl_divergence, symmetric_kl
from gpkl_lib.adversarial import virtual_adversarial_loss
from gpkl_lib.chapters.formulas import virtual_adversarial_training as proofs
from gpkl_lib.derivations import equation

Tensor = torch.Tensor
TRUE_AS_WELL = {
    (proofs.flat.title, 0): (1, "the limit is 0"),
    (proofs.flat.title, 1): (2, "the limit is 0"),
    (proofs.flat.title, 2): (2, "the limit is 0"),
    ("eq-vat-one-sided", 1): (1, "O stands for a remainder of either sign"),
    ("eq-vat-softmax", 1): (1, "O stands for a remainder of either sign"),
}


def _tagger(seed: int = 0) -> tuple[Callable[[Tensor], Tensor], Tensor, Tensor]:
    """Affine scores of 7 spans in 4 dimensions, float64: the function, a point x of one row, the Jacobian."""
    torch.manual_seed(seed)
    weight, bias, x = (torch.randn(*shape, dtype=torch.float64) for shape in ((7, 4), (7,), (1, 4)))
    return lambda e: e @ weight.T + bias, x, weight


def _fisher(logits: Tensor, weight: Tensor) -> Tensor:
    """J' diag(sigma') J."""
    return weight.T @ torch.diag(logits.sigmoid() * (-logits).sigmoid()) @ weight


@equation("eq-vat-flat", shows=proofs.flat.claim(0, -1))
def flat() -> str:
    """Autograd's gradient at r = 0 is exactly 0."""
    forward, x, _ = _tagger()
    r = torch.zeros_like(x, requires_grad=True)
    (gradient,) = torch.autograd.grad(symmetric_kl(forward(x).detach(), forward(x + r), activation="sigmoid"), r)
    assert gradient.abs().max() == 0
    return f"{proofs.flat.check()}; autograd's gradient by r is exactly 0 there"


def _quadratic(divergence: Callable[..., Tensor], factor: float) -> float:
    """The largest relative distance of D(x, x + eps d) from factor * eps^2 d'Gd, at eps = 1e-5."""
    worst = 0.0
    for seed in range(5):
        forward, x, weight = _tagger(seed)
        d = torch.randn_like(x)
        found = divergence(forward(x), forward(x + 1e-5 * d), activation="sigmoid")
        wanted = factor * 1e-10 * (d @ _fisher(forward(x)[0], weight) @ d.T)
        worst = max(worst, abs(found / wanted - 1).item())
    assert worst < 1e-4, worst
    return worst


@equation("eq-vat-metric", shows=proofs.metric.claim(0, -1))
def metric() -> str:
    return f"{proofs.metric.check()}; gpkl_lib within {_quadratic(symmetric_kl, 1.0):.0e} of it at a step of 1e-5"


@equation("eq-vat-one-sided", shows=proofs.one_sided)
def one_sided() -> str:
    return f"{proofs.one_sided.check()}; gpkl_lib within {_quadratic(kl_divergence, 0.5):.0e} of it at a step of 1e-5"


@equation("eq-vat-feel", shows=proofs.feel.claim(0, -1))
def feel() -> str:
    """Autograd's gradient at a step of 1e-6 against the Hessian that autograd finds at 0, and both against 2 G d."""
    forward, x, weight = _tagger()
    clean, d = forward(x), torch.randn_like(x)

    def at(r: Tensor) -> Tensor:
        return symmetric_kl(clean, forward(x + r), activation="sigmoid")

    step = (1e-6 * d).requires_grad_()
    (felt,) = torch.autograd.grad(at(step), step)
    hessian = torch.autograd.functional.hessian(at, torch.zeros_like(x))[0, :, 0]
    G = _fisher(clean[0], weight)
    assert torch.allclose(hessian, 2 * G, rtol=1e-12)
    assert torch.allclose(felt / 1e-6, 2 * d @ G, rtol=1e-5)
    return f"{proofs.feel.check()}; autograd's Hessian is 2 J'diag(sigma')J to 1e-12"


@equation("eq-vat-rate", shows=proofs.rate)
def rate() -> str:
    """The library's direction after 1 to 4 steps, on a metric whose eigenvectors torch.linalg gives."""
    torch.manual_seed(0)
    weight = torch.diag(torch.tensor([3.0, 2.0], dtype=torch.float64)) @ torch.linalg.qr(torch.randn(2, 2).double())[0]
    x, top = torch.zeros(1, 2, dtype=torch.float64), torch.linalg.eigh(weight.T @ weight).eigenvectors[:, -1]

    def slope(steps: int) -> float:
        last: list[Tensor] = []

        def forward(e: Tensor) -> Tensor:
            last.append(e)
            return e @ weight.T

        draw = torch.Generator().manual_seed(5)
        search = {"epsilon": 1.0, "xi": 1e-4, "steps": steps, "generator": draw}
        virtual_adversarial_loss(forward, x, activation="sigmoid", **search)  # type: ignore[arg-type]
        cosine = (last[-1][0] @ top).abs().clamp(max=1)
        return float(cosine.acos().tan())

    slopes = [slope(m) for m in (1, 2, 3, 4)]
    for before, after in itertools.pairwise(slopes):
        assert abs(after / before - 4 / 9) < 1e-4, slopes
    return f"{proofs.rate.check()}; the library's angle shrinks by lambda_2/lambda_1 = 4/9 a step, within 1e-4"


@equation("eq-vat-noise", shows=proofs.noise)
def noise() -> str:
    """A mean over many random directions, in more than two dimensions."""
    forward, x, weight = _tagger()
    G = _fisher(forward(x)[0], weight)
    d = torch.randn(200_000, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    d = d / d.norm(dim=-1, keepdim=True)
    mean = ((d @ G) * d).sum(-1).mean()
    assert abs(mean / (G.trace() / 4) - 1) < 0.01
    return f"{proofs.noise.check()}; 200,000 directions in four dimensions within 1 % of tr G / 4"


@equation("eq-vat-gain", shows=proofs.gain)
def gain() -> str:
    return str(proofs.gain.check())


@equation("eq-vat-softmax", shows=proofs.softmax)
def softmax() -> str:
    """The library's softmax form is the paper's: KL(p || q), and its direction that of the matrix diag p - pp'."""
    forward, x, weight = _tagger(3)
    clean = forward(x)[0]
    p = clean.softmax(-1)
    G = weight.T @ (torch.diag(p) - torch.outer(p, p)) @ weight
    found: list[Tensor] = []

    def keep(e: Tensor) -> Tensor:
        found.append(e)
        return forward(e)

    draw = torch.Generator().manual_seed(0)
    loss = virtual_adversarial_loss(
        keep, x, epsilon=1e-3, xi=1e-5, steps=60, activation="softmax", symmetric=False, generator=draw
    )
    log_p, log_q = clean.log_softmax(-1), forward(found[-1])[0].log_softmax(-1)
    assert torch.isclose(loss, (log_p.exp() * (log_p - log_q)).sum(), rtol=1e-8)
    assert torch.isclose(loss, 0.5e-6 * torch.linalg.eigvalsh(G)[-1], rtol=1e-2)
    return (
        f"{proofs.softmax.check()}; gpkl_lib's one-sided softmax loss is the paper's KL, its direction the eigenvector"
    )
