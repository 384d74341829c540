"""The losses under torch.func, torch.compile and torch.inference_mode, and differentiated twice."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gpkl_lib import (
    distillation_loss,
    entropy,
    jensen_shannon,
    kl_divergence,
    logsumexp,
    multilabel_cross_entropy,
    rdrop_loss,
    softmax,
    sparse_multilabel_cross_entropy,
    symmetric_kl,
    uda_loss,
    virtual_adversarial_loss,
)
from gpkl_lib.losses import cross_entropy

Loss = Callable[[Tensor, Tensor], Tensor]
POSITIVES = torch.tensor([[0, 1], [2, 3]])


def with_options(function: Callable[..., Tensor], **options: object) -> Loss:
    return lambda s, t: function(s, t, **options)


LOSSES: dict[str, Loss] = {
    f"{function.__name__}-{activation}-{temperature}": with_options(
        function, activation=activation, temperature=temperature
    )
    for function in (symmetric_kl, kl_divergence, jensen_shannon, distillation_loss)
    for activation in ("softmax", "sigmoid")
    for temperature in (1.0, 0.4)
}
LOSSES |= {
    f"{activation}-{name}": loss
    for activation in ("softmax", "sigmoid")
    for name, loss in {
        "limit": with_options(distillation_loss, activation=activation, temperature=math.inf),
        "uda": lambda s, t, f=activation: uda_loss(s, t, activation=f, temperature=0.4, threshold=0.3).loss,
        "rdrop": lambda s, t, f=activation: rdrop_loss(s, t, torch.mean, alpha=1, activation=f).loss,
    }.items()
}
LOSSES |= {
    "function": with_options(symmetric_kl, activation=torch.tanh, temperature=0.4),
    "logsumexp": lambda s, _: logsumexp(s, temperature=0.4).sum(),
    "entropy": lambda s, _: entropy(s, temperature=0.4).sum(),
    "softmax": lambda s, _: softmax(s, temperature=0.4).square().sum(),
    "checked cross-entropy": lambda s, t: cross_entropy(s, t > 1, 1, None, "mean"),
}
CHECKING: dict[str, Loss] = {
    "dense": lambda s, t: multilabel_cross_entropy(s, t > 1),
    "sparse": lambda s, _: sparse_multilabel_cross_entropy(s, POSITIVES),
}
every = pytest.mark.parametrize("loss", [*LOSSES.values()], ids=[*LOSSES])
with_checks = pytest.mark.parametrize("loss", [*(LOSSES | CHECKING).values()], ids=[*(LOSSES | CHECKING)])


def two_sets(*shape: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    s, t = torch.randn(2, *shape, generator=generator, dtype=torch.float64) * 2
    return s, t


@every
def test_vmap_is_a_loop_and_func_grad_is_autograd(loss: Loss) -> None:
    s, t = two_sets(3, 4, 5)
    each = torch.stack([loss(a, b) for a, b in zip(s, t, strict=True)])
    try:
        found = torch.func.vmap(loss)(s, t)
    except RuntimeError as error:
        if "Batching rule not implemented" in str(error):  # older torch has none for a view as another dtype
            pytest.skip(f"torch {torch.__version__}: {error}")
        raise
    torch.testing.assert_close(found, each)
    leaf = s.clone().requires_grad_()
    (by_autograd,) = torch.autograd.grad(sum(loss(a, b) for a, b in zip(leaf, t, strict=True)), leaf)
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(loss))(s, t), by_autograd)


@with_checks
def test_second_derivatives_are_those_of_autograd(loss: Loss) -> None:
    s, t = two_sets(3, 4)
    hessian = torch.func.hessian(loss)(s, t)
    torch.testing.assert_close(hessian, torch.autograd.functional.hessian(lambda a: loss(a, t), s))
    assert hessian.isfinite().all()


@with_checks
def test_inference_mode(loss: Loss) -> None:
    s, t = two_sets(3, 4)
    with torch.inference_mode():
        torch.testing.assert_close(loss(s * 1, t * 1), loss(s, t))


@every
def test_compiles_without_a_break(loss: Loss) -> None:
    s, t = two_sets(3, 4)
    torch.compiler.reset()
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    (one, by_one), (two, by_two) = (
        (value, torch.autograd.grad(value, a)[0])
        for f in (compiled, loss)
        for a in [s.clone().requires_grad_()]
        for value in [f(a, t)]
    )
    torch.testing.assert_close(one, two)
    torch.testing.assert_close(by_one, by_two)


@pytest.mark.parametrize("loss", CHECKING.values(), ids=[*CHECKING])
def test_compiles_with_a_break_where_labels_are_checked(loss: Loss) -> None:
    s, t = two_sets(3, 4)
    torch.compiler.reset()
    torch.testing.assert_close(torch.compile(loss, backend="aot_eager")(s, t), loss(s, t))


def test_virtual_adversarial_training_says_why_inference_mode_is_none_for_it() -> None:
    x, _ = two_sets(3, 4)
    with torch.inference_mode(), pytest.raises(RuntimeError, match="inference_mode"):
        virtual_adversarial_loss(torch.tanh, x, epsilon=1.0, activation="sigmoid")
    with torch.no_grad():
        assert virtual_adversarial_loss(torch.tanh, x, epsilon=1.0, activation="sigmoid") > 0
