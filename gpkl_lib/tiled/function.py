"""The tiled losses as functions of autograd: the forward pass computes the gradients, and backward multiplies them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gpkl_lib.tiled.batch import BatchSums, Loss, batch_pass
from gpkl_lib.tiled.sources import HeadSource, ProjectedSource, Source

NO_SECOND = (
    "the tiled loss has no second derivatives: its gradient is computed in the forward pass and not recorded. For them "
    "take the scores of the head and rdrop_loss or sparse_multilabel_cross_entropy"
)
NO_TRANSFORMS = (
    "the tiled loss takes no transform of torch.func (grad, vmap, jvp, ...) and no forward-mode derivative: its blocks "
    "are computed past them. Use loss.backward() or torch.autograd.grad, all rows at once in place of vmap, or the "
    "scores of the head and rdrop_loss or sparse_multilabel_cross_entropy"
)


def loss_of_projections(
    query: Tensor,
    key: Tensor,
    real: Tensor,
    loss: Loss,
    block: int,
    target: tuple[Tensor, Tensor] | tuple[None, None] = (None, None),
) -> tuple[Tensor, BatchSums]:
    """The loss of queries and keys, which carries gradient to them, and its parts.

    Args:
        query, key: (V * B, H, L, d).
        real: boolean (B, L), True = a real token.
        loss: what to sum.
        block: scores of a block.
        target: queries and keys (B, H, L, d) of a fixed target, where d may be another; none where there is none.
    """
    value, *parts = _eagerly(_OfProjections, _tether(query, key), query, key, *target, real, loss, block)
    return value, BatchSums(*parts)


def loss_of_states(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    rotation: Tensor,
    types: int,
    dtype: torch.dtype,
    real: Tensor,
    loss: Loss,
    block: int,
) -> tuple[Tensor, BatchSums]:
    """The same of hidden states and the weights of a head; the arguments of `HeadSource`, and as above."""
    tether = _tether(hidden, weight, bias)
    value, *parts = _eagerly(_OfStates, tether, hidden, weight, bias, rotation, types, dtype, real, loss, block)
    return value, BatchSums(*parts)


def _tether(*inputs: Tensor) -> Tensor:
    """Nothing, 0, that depends on all inputs: what ties their gradient to them, so that its own derivative is refused.

    Kept for the backward pass in the place of the inputs, which may be large.
    """
    return torch.stack([x[:0].sum() for x in inputs]).sum()


def _eagerly(function: type[torch.autograd.Function], *inputs: Any) -> Any:
    """Call a function past torch.compile, which cannot trace the blocks: a compiled model breaks its graph here.

    `torch.compiler.disable` as a decorator would do the same, and load the compiler with every import of the package.
    """
    apply = function.apply
    if torch.compiler.is_compiling():
        apply = torch.compiler.disable(apply)  # type: ignore[no-untyped-call]
    try:
        return apply(*inputs)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        if "setup_context" in str(error):  # what torch asks for where a transform of torch.func is at work
            raise RuntimeError(NO_TRANSFORMS) from None
        raise


class _Tiled(torch.autograd.Function):
    """The first argument is the tether, and those that may want a gradient follow."""

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> Any:
        raise RuntimeError(NO_TRANSFORMS)


class _OfProjections(_Tiled):
    @staticmethod
    def forward(
        ctx: Any,
        tether: Tensor,
        query: Tensor,
        key: Tensor,
        target_query: Tensor | None,
        target_key: Tensor | None,
        real: Tensor,
        loss: Loss,
        block: int,
    ) -> tuple[Tensor, ...]:
        source = ProjectedSource(query, key, real, any(ctx.needs_input_grad[1:3]))
        target = None
        if target_query is not None and target_key is not None:
            target = ProjectedSource(target_query, target_key, real, False, "target ")
        return _forward(ctx, tether, source, target, real, loss, block)

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> Any:
        return None, *_backward(ctx, grad), *(None,) * 5


class _OfStates(_Tiled):
    @staticmethod
    def forward(
        ctx: Any,
        tether: Tensor,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        rotation: Tensor,
        types: int,
        dtype: torch.dtype,
        real: Tensor,
        loss: Loss,
        block: int,
    ) -> tuple[Tensor, ...]:
        source = HeadSource(hidden, weight, bias, rotation, types, real, dtype, ctx.needs_input_grad[1:4])
        return _forward(ctx, tether, source, None, real, loss, block)

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> Any:
        return None, *_backward(ctx, grad), *(None,) * 6


def _forward(
    ctx: Any, tether: Tensor, source: Source, target: ProjectedSource | None, real: Tensor, loss: Loss, block: int
) -> tuple[Tensor, ...]:
    sums = batch_pass(source, target, real, loss, block, any(ctx.needs_input_grad))
    ctx.save_for_backward(tether, *source.gradients())
    ctx.mark_non_differentiable(*sums)
    return sums.task + loss.weight * sums.divergence, *sums


def _backward(ctx: Any, grad: Tensor) -> Any:
    tether, *gradients = ctx.saved_tensors
    if torch.is_grad_enabled():  # for a second derivative: let it come as far as _Scaled, which says no
        return _Scaled.apply(tether, grad, *gradients)  # type: ignore[no-untyped-call]
    if grad.device.type == "cpu" and _is_one(grad):  # as it mostly is: no copy, which autograd makes to keep the graph
        return gradients
    return _scaled(grad, gradients)


def _is_one(grad: Tensor) -> bool:
    try:
        return bool(grad == 1)
    except RuntimeError:  # a batch of gradients (is_grads_batched) has no one value
        return False


def _scaled(grad: Tensor, gradients: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
    """The gradients times that of the loss, which autograd then rounds to the dtype of what they are for.

    A loss scaled up for float16 scales them before they could vanish.
    """
    return tuple(x if x is None else grad * x for x in gradients)


class _Scaled(torch.autograd.Function):
    """The end of the line for derivatives."""

    @staticmethod
    def forward(ctx: Any, tether: Tensor, grad: Tensor, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        return _scaled(grad, gradients)

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> Any:
        raise RuntimeError(NO_SECOND)
