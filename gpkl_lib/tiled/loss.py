"""Cross-entropy and divergence of all spans, block by block: the L x L scores are never held.

Notation: V views (1, or the 2 dropout views of R-Drop), B sentences, H types, L tokens, d features of a query or key.

    score[v, b, h, i, j] = q_i . k_j,    i <= j, both real tokens

A block is some rows of the upper triangle, i0 <= i < i1 and i0 <= j, of some types of one sentence, in all views. From
its scores come its share of the sums and of the gradients, and then they are overwritten. The softmax gradient
e^s / (1 + sum e^s) of the cross-entropy waits for its normaliser, known after the last block: scores are kept so long
if a board has no more than HOLD of them, else computed once more, relative to a running maximum (online logsumexp).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gpkl_lib._checks import check_head
from gpkl_lib.consistency import ConsistencyLoss
from gpkl_lib.divergence import Activation
from gpkl_lib.global_pointer import GlobalPointer, rotary_angles, token_mask
from gpkl_lib.tiled.batch import Loss
from gpkl_lib.tiled.checks import check_options, check_positives, check_projection
from gpkl_lib.tiled.divergences import divergence_of
from gpkl_lib.tiled.function import loss_of_projections, loss_of_states
from gpkl_lib.tiled.groups import BLOCK


def tiled_span_loss(
    query: Tensor,
    key: Tensor,
    positives: Tensor,
    *,
    attention_mask: Tensor | None = None,
    views: int = 1,
    alpha: float = 0.0,
    activation: Activation = "sigmoid",
    top: int | None = None,
    annealing_threshold: float = 1.0,
    block: int = BLOCK,
) -> ConsistencyLoss:
    """Multi-label cross-entropy of all spans, and for two views alpha/4 of their divergence, without L x L scores.

    Equal to `sparse_multilabel_cross_entropy` on the scores q_i . k_j (two views: to `rdrop_loss` of the two), each row
    being the spans of one type in one sentence; loss and gradient come from passes over blocks of scores. Memory grows
    with L, not with L^2. What is padding is not even computed. On a CPU the memory of the blocks, up to some 80 MB in
    float32, stays with the thread for its next call.

    Args:
        query: (V * B, H, L, d), rotated and scaled, as the `project` of the heads gives it; view after view.
        key: the shape and dtype of `query`.
        positives: int64 (P, 4), the gold cells (sentence, type, start, end), `end` the LAST token; the same in all
            views. P = 0 means that nothing is positive.
        attention_mask: (B, L), True or 1 for a real token; None if all are.
        views: V, 1 or 2.
        alpha: the paper's R-Drop weight >= 0: the divergence counts alpha/4 times; not used for one view.
        activation: of two views: "sigmoid", "softmax" over the spans of a row, or an elementwise function of a tensor,
            which is differentiated by autograd (parameters of its own get no gradient).
        top: with "sigmoid", so many spans of a row count in the divergence: those that score highest in the mean of
            both views (more where some score alike); None for all.
        annealing_threshold: a labelled cell whose right decision has a higher probability takes no part in the
            cross-entropy, as `gpkl_lib.consistency.annealing_threshold` gives it for UDA; in (0, 1], 1 keeps all.
        block: largest number of scores to compute at a time (at least one row of one type is); of those that wait for
            their normaliser up to HOLD are kept.

    Returns:
        ConsistencyLoss(loss, task, divergence), scalars in nats, half precision in float32. `task` is the mean over
        views, sentences and types; `divergence` a sum over spans and mean over sentences and types, 0 for one view.
        Only `loss` carries gradient, to `query` and `key`; task and divergence are for the log.

    Raises:
        TypeError: query or key not floating point, or of two dtypes; positives not int64.
        ValueError: shapes that do not fit; views, alpha, activation, top, annealing_threshold or block out of range;
            and with its place a positive out of range, with its end before its start, on padding or given twice.
        RuntimeError: on a second derivative, and in a transform of torch.func, which this loss does not have.

    Example:
        >>> query, key = torch.randn(2, 1, 3, 50, 8)  # one sentence of 50 tokens, three types
        >>> cells = gold_cells([[("PER", 4, 6)]], ["PER", "LOC", "ORG"])
        >>> dense = global_pointer_loss(query @ key.mT, cells, torch.ones(1, 50).bool())
        >>> torch.allclose(tiled_span_loss(query, key, cells).loss, dense)
        True

    Source: eq-rdrop; the running maximum is that of Milakov and Gimelshein 2018, "Online normalizer calculation".
    """
    batch = check_projection(query, key, views, alpha, block)
    if not 0 < annealing_threshold <= 1:
        raise ValueError(f"annealing_threshold must lie in (0, 1], got {annealing_threshold}")
    real = token_mask(attention_mask, (batch, query.shape[2]), query.device)
    check_positives(positives, (batch, *query.shape[1:3]), real)
    what = _rdrop(positives, views, alpha, activation, top)._replace(released=annealing_threshold)
    loss, sums = loss_of_projections(query, key, real, what, block)
    return ConsistencyLoss(loss, sums.task, sums.divergence)


def tiled_head_loss(
    head: Any,
    hidden_states: Tensor,
    positives: Tensor,
    *,
    attention_mask: Tensor | None = None,
    views: int = 1,
    alpha: float = 0.0,
    activation: Activation = "sigmoid",
    top: int | None = None,
    block: int = BLOCK,
) -> ConsistencyLoss:
    """`tiled_span_loss` of a head, from hidden states: the queries and keys are never there all at once either.

    A `GlobalPointer` projects one group of sentences and types at a time, and sends their gradients on to those of
    hidden states, weight and bias at once; any other head (`EfficientGlobalPointer`) hands over its `project`.

    Args:
        head: `GlobalPointer`, or a module whose `project(hidden_states, attention_mask)` gives query and key.
        hidden_states: (V * B, L, hidden_size), view after view. Under autocast they are projected in its dtype.
        positives, attention_mask, views, alpha, activation, top, block: those of `tiled_span_loss`.

    Returns:
        ConsistencyLoss(loss, task, divergence), as `tiled_span_loss`; `loss` carries gradient.

    Raises:
        TypeError, ValueError, RuntimeError: as `tiled_span_loss` and the `forward` of the head.

    Example:
        >>> head = GlobalPointer(hidden_size=16, num_types=2)
        >>> states = torch.nn.functional.dropout(doubled(torch.randn(1, 50, 16)), 0.1)
        >>> cells = gold_cells([[("PER", 4, 6)]], ["PER", "LOC"])
        >>> loss, task, divergence = tiled_head_loss(head, states, cells, views=2, alpha=0.4)
        >>> loss.backward()
        >>> head.projection.weight.grad.shape
        torch.Size([256, 16])

    Source: eq-rdrop.
    """
    check_head(head)
    if hidden_states.ndim != 3:
        raise ValueError(f"hidden_states must have shape (views * batch, L, D), got {tuple(hidden_states.shape)}")
    check_options(len(hidden_states), views, alpha, block)
    real = token_mask(attention_mask, (len(hidden_states) // views, hidden_states.shape[1]), hidden_states.device)
    if not isinstance(head, GlobalPointer):
        query, key = head.project(hidden_states, real.repeat(views, 1))
        options: dict[str, Any] = {"views": views, "alpha": alpha, "activation": activation, "top": top}
        return tiled_span_loss(query, key, positives, attention_mask=real, block=block, **options)
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
    weight, bias = head.projection.weight, head.projection.bias
    what = _rdrop(positives, views, alpha, activation, top)
    loss, sums = loss_of_states(hidden_states, weight, bias, rotation, head.num_types, dtype, real, what, block)
    return ConsistencyLoss(loss, sums.task, sums.divergence)


def _rdrop(positives: Tensor, views: int, alpha: float, activation: Activation, top: int | None) -> Loss:
    """What R-Drop sums; of one view the cross-entropy alone."""
    divergence = divergence_of(activation, top)
    return Loss(positives, divergence if views == 2 else None, alpha / 4)
