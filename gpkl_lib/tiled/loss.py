"""Cross-entropy and divergence of all spans, block by block: the L x L scores are never held.

Notation: V views (1, or the 2 dropout views of R-Drop), B sentences, H types, L tokens, d features of a query or key.

    score[v, b, h, i, j] = q_i . k_j,    i <= j, both real tokens

A block is some rows of the upper triangle, i0 <= i < i1 and i0 <= j, of some types of one sentence, in all views. Its
scores are computed once; from them come its share of the sums and of the gradients, and then they are overwritten.
The softmax gradient e^s / (1 + sum e^s) of the cross-entropy waits for its normaliser, known after the last block, if
no more than HOLD scores have to wait together; else it is accumulated without it, relative to a running maximum (online
logsumexp), and divided at the end.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gpkl_lib.consistency import ConsistencyLoss
from gpkl_lib.global_pointer import GlobalPointer, rotary_angles, token_mask
from gpkl_lib.tiled.batch import batch_pass
from gpkl_lib.tiled.checks import check_options, check_positives, check_projection
from gpkl_lib.tiled.groups import BLOCK
from gpkl_lib.tiled.sources import HeadSource, ProjectedSource, Source


def tiled_span_loss(
    query: Tensor,
    key: Tensor,
    positives: Tensor,
    *,
    attention_mask: Tensor | None = None,
    views: int = 1,
    alpha: float = 0.0,
    block: int = BLOCK,
) -> ConsistencyLoss:
    """Multi-label cross-entropy of all spans, and for two views alpha/4 of their divergence, without L x L scores.

    Equal to `sparse_multilabel_cross_entropy` on the scores q_i . k_j (two views: to `rdrop_loss` of the two with
    activation "sigmoid"), each row being the spans of one type in one sentence; loss and gradient come from one pass
    over blocks of scores. Memory grows with L, not with L^2. What is padding is not even computed. On a CPU the memory
    of the blocks, up to some 80 MB in float32, stays with the thread for its next call.

    Args:
        query: (V * B, H, L, d), rotated and scaled, as the `project` of the heads gives it; view after view.
        key: the shape and dtype of `query`.
        positives: int64 (P, 4), the gold cells (sentence, type, start, end), `end` the LAST token; the same in all
            views. P = 0 means that nothing is positive.
        attention_mask: (B, L), True or 1 for a real token; None if all are.
        views: V, 1 or 2.
        alpha: the paper's R-Drop weight >= 0: the divergence counts alpha/4 times; not used for one view.
        block: largest number of scores to compute at a time (at least one row of one type is); of blocks that wait for
            their normaliser up to HOLD scores are kept.

    Returns:
        ConsistencyLoss(loss, task, divergence), scalars in nats, half precision in float32. `task` is the mean over
        views, sentences and types; `divergence` a sum over spans and mean over sentences and types, 0 for one view.
        Only `loss` carries gradient, to `query` and `key`; task and divergence are for the log.

    Raises:
        TypeError: query or key not floating point, or of two dtypes; positives not int64.
        ValueError: shapes that do not fit; views, alpha or block out of range; and with its place a positive out of
            range, with its end before its start, on padding or given twice.
        RuntimeError: on a second derivative, which this loss does not have.

    Source: eq-rdrop; the running maximum is that of Milakov and Gimelshein 2018, "Online normalizer calculation".
    """
    batch = check_projection(query, key, views, alpha, block)
    real = token_mask(attention_mask, (batch, query.shape[2]), query.device)
    check_positives(positives, (batch, *query.shape[1:3]), real)
    loss, task, divergence = _eagerly(_TiledSpanLoss.apply, query, key, positives, real, views, alpha, block)
    return ConsistencyLoss(loss, task, divergence)


def tiled_head_loss(
    head: Any,
    hidden_states: Tensor,
    positives: Tensor,
    *,
    attention_mask: Tensor | None = None,
    views: int = 1,
    alpha: float = 0.0,
    block: int = BLOCK,
) -> ConsistencyLoss:
    """`tiled_span_loss` of a head, from hidden states: the queries and keys are never there all at once either.

    A `GlobalPointer` projects one group of sentences and types at a time, and sends their gradients on to those of
    hidden states, weight and bias at once; any other head (`EfficientGlobalPointer`) hands over its `project`.

    Args:
        head: `GlobalPointer`, or a module whose `project(hidden_states, attention_mask)` gives query and key.
        hidden_states: (V * B, L, hidden_size), view after view. Under autocast they are projected in its dtype.
        positives, attention_mask, views, alpha, block: those of `tiled_span_loss`.

    Returns:
        ConsistencyLoss(loss, task, divergence), as `tiled_span_loss`; `loss` carries gradient.

    Raises:
        TypeError, ValueError, RuntimeError: as `tiled_span_loss` and the `forward` of the head.

    Source: eq-rdrop.
    """
    if hidden_states.ndim != 3:
        raise ValueError(f"hidden_states must have shape (views * batch, L, D), got {tuple(hidden_states.shape)}")
    check_options(len(hidden_states), views, alpha, block)
    real = token_mask(attention_mask, (len(hidden_states) // views, hidden_states.shape[1]), hidden_states.device)
    if not isinstance(head, GlobalPointer):
        query, key = head.project(hidden_states, real.repeat(views, 1))
        return tiled_span_loss(query, key, positives, attention_mask=real, views=views, alpha=alpha, block=block)
    head.check_hidden(hidden_states)
    check_positives(positives, (len(real), head.num_types, real.shape[1]), real)
    dtype, device = hidden_states.dtype, hidden_states.device
    if torch.is_autocast_enabled(device.type) and dtype != torch.float64:
        dtype = torch.get_autocast_dtype(device.type)
    elif head.projection.weight.dtype != dtype:
        raise TypeError(f"hidden_states are {dtype} and the head is {head.projection.weight.dtype}")
    exact = torch.promote_types(dtype, torch.float32)
    rotation = torch.ones(1, 1, dtype=exact, device=device)
    if head.rotary:
        rotation = torch.polar(rotation, rotary_angles(real.shape[1], head.head_size, exact, device))
    rotation = torch.stack([rotation * head.head_size**-0.5, rotation])  # the query's factor scales the scores
    loss, task, divergence = _eagerly(
        _TiledHeadLoss.apply,
        hidden_states,
        head.projection.weight,
        head.projection.bias,
        rotation,
        head.num_types,
        dtype,
        positives,
        real,
        views,
        alpha,
        block,
    )
    return ConsistencyLoss(loss, task, divergence)


def _eagerly(function: Any, *inputs: Any) -> Any:
    """Call a function past torch.compile, which cannot trace the blocks: a compiled model breaks its graph here.

    `torch.compiler.disable` as a decorator would do the same, and load the compiler with every import of the package.
    """
    if torch.compiler.is_compiling():
        function = torch.compiler.disable(function)  # type: ignore[no-untyped-call]
    return function(*inputs)


class _TiledSpanLoss(torch.autograd.Function):
    """Forward computes the gradients too; backward only multiplies them."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, positives: Tensor, real: Tensor, views: int, alpha: float, block: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        source = ProjectedSource(query, key, real, any(ctx.needs_input_grad[:2]))
        return _forward(ctx, source, positives, real, views, alpha, block)

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> Any:
        return *_backward(ctx, grad), *(None,) * 5


class _TiledHeadLoss(torch.autograd.Function):
    """The same from hidden states and the weights of the head."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        rotation: Tensor,
        types: int,
        dtype: torch.dtype,
        positives: Tensor,
        real: Tensor,
        views: int,
        alpha: float,
        block: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        source = HeadSource(hidden, weight, bias, rotation, types, real, dtype, ctx.needs_input_grad[:3])
        return _forward(ctx, source, positives, real, views, alpha, block)

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> Any:
        return *_backward(ctx, grad), *(None,) * 8


def _forward(
    ctx: Any, source: Source, positives: Tensor, real: Tensor, views: int, alpha: float, block: int
) -> tuple[Tensor, Tensor, Tensor]:
    task, divergence = batch_pass(source, positives, real, views, alpha, block, any(ctx.needs_input_grad))
    ctx.save_for_backward(*source.gradients())
    ctx.mark_non_differentiable(task, divergence)
    return task + alpha / 4 * divergence, task, divergence


def _backward(ctx: Any, grad: Tensor) -> Any:
    if torch.is_grad_enabled():  # for a second derivative: let it come as far as _Scaled, which says no
        return _Scaled.apply(grad.detach().requires_grad_(), *ctx.saved_tensors)  # type: ignore[no-untyped-call]
    if grad.device.type == "cpu" and grad == 1:  # as it mostly is: no copy, which autograd makes if the graph is kept
        return ctx.saved_tensors
    return _scaled(grad, ctx.saved_tensors)


def _scaled(grad: Tensor, gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    """The gradients times that of the loss, which autograd then rounds to the dtype of what they are for.

    A loss scaled up for float16 scales them before they could vanish.
    """
    return tuple(x if x is None else grad * x for x in gradients)


class _Scaled(torch.autograd.Function):
    """The end of the line for derivatives."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        return _scaled(grad, gradients)

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> Any:
        raise RuntimeError(
            "the tiled loss has no second derivatives: its gradient is computed in the forward pass and not recorded. "
            "For them take the scores of the head and rdrop_loss or sparse_multilabel_cross_entropy"
        )
