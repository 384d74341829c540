"""The loss of a span head in one call, from spans or cells, dense or in tiles: what a training loop of one's own needs.

Notation: B sentences, H types, L tokens. Ends, class dimensions and the order of two views are seen to here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from gpkl_lib._checks import check_floating, check_head, check_same_device, check_weight
from gpkl_lib.consistency import ConsistencyLoss, rdrop_loss, two_views
from gpkl_lib.global_pointer import check_token_mask, span_mask
from gpkl_lib.losses import sparse_multilabel_cross_entropy
from gpkl_lib.spans import GoldCells, check_types, gold_cells
from gpkl_lib.tiled import tiled_head_loss

TILED_FROM = 32  # tokens; benchmarks/span_loss.py finds 25 about even and 32 ahead

Gold = Sequence[Iterable[Sequence[str | int]]] | GoldCells


def global_pointer_loss(
    input: Tensor,
    gold: Gold,
    attention_mask: Tensor,
    *,
    types: Sequence[str] | None = None,
    head: nn.Module | None = None,
) -> Tensor:
    """Multi-label cross-entropy of all spans of a batch, summed over the spans of a row and averaged over rows.

    A row is one type in one sentence. With a head that can `project` and sentences of 32 tokens and more it is computed
    in tiles (`tiled_head_loss`), which never hold the L x L scores and have no second derivative.

    Args:
        input: logits (B, H, L, L); or, with `head`, the hidden states (B, L, hidden_size) that it would score.
        gold: the spans of each sentence, lists of (type, start, end) with `end` exclusive; or what `gold_cells` made of
            them.
        attention_mask: (B, L), True or 1 for a real token, 0 for padding.
        types: H names, in the order of the heads; not needed for cells.
        head: `GlobalPointer`, `EfficientGlobalPointer`, or a module like them: called with hidden states and
            attention_mask it gives the logits.

    Returns:
        A scalar, nats; half precision in float32.

    Raises:
        TypeError: input not floating point, attention_mask not boolean or integer, gold neither spans nor `GoldCells`
            (cells in a plain tensor may end one token too far: nothing tells), spans without `types`.
        ValueError: shapes that do not fit each other, and with its place a span beyond its sentence, on padding or
            given twice, or of a type that is not in `types`.

    Example:
        >>> head = GlobalPointer(hidden_size=16, num_types=2)
        >>> states, attention_mask = torch.randn(2, 5, 16), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
        >>> spans = [[("PER", 0, 2), ("LOC", 1, 2)], []]
        >>> loss = global_pointer_loss(states, spans, attention_mask, types=["PER", "LOC"], head=head)
        >>> same = global_pointer_loss(head(states, attention_mask), gold_cells(spans, ["PER", "LOC"]), attention_mask)
        >>> bool(loss == same)
        True

    Source: Su et al. 2022; eq-mlce in the chapter "Multi-label cross-entropy".
    """
    cells = _checked(input, gold, attention_mask, types, head, views=1)
    if head is not None and _takes_tiles(head, input):
        return tiled_head_loss(head, input, cells, attention_mask=attention_mask).loss
    logits = _scores(input, attention_mask, head)
    return sparse_multilabel_cross_entropy(logits, cells, class_dims=2, mask=span_mask(attention_mask))


def global_pointer_rdrop_loss(
    input: Tensor,
    gold: Gold,
    attention_mask: Tensor,
    *,
    alpha: float,
    types: Sequence[str] | None = None,
    head: nn.Module | None = None,
) -> ConsistencyLoss:
    """The mean `global_pointer_loss` of two dropout views, and alpha/4 of their symmetric sigmoid divergence.

    The divergence is divided as the cross-entropy is: summed over the spans of a row, averaged over rows. Give what the
    model made of one batch `doubled` before the forward pass, and the mask that it was given with it.

    Args:
        input: logits (2B, H, L, L); or, with `head`, hidden states (2B, L, hidden_size). View after view.
        gold: of the B sentences, once; as in `global_pointer_loss`.
        attention_mask: (2B, L), doubled as the rest.
        alpha: the paper's weight >= 0.
        types, head: those of `global_pointer_loss`.

    Returns:
        ConsistencyLoss(loss, task, divergence), scalars in nats; `divergence` is D before alpha/4. Only `loss` is sure
        to carry gradient: in tiles the other two are for the log.

    Raises:
        TypeError: alpha no number; else as `global_pointer_loss`.
        ValueError: alpha negative or not finite, an odd batch, halves of attention_mask that differ (the views are not
            one after the other); else as `global_pointer_loss`.

    Example:
        >>> head, dropout = GlobalPointer(hidden_size=16, num_types=2), torch.nn.Dropout(0.1)
        >>> twice = doubled(torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]))
        >>> states = dropout(doubled(torch.randn(2, 5, 16)))
        >>> spans, types = [[("PER", 0, 2), ("LOC", 1, 2)], []], ["PER", "LOC"]
        >>> losses = global_pointer_rdrop_loss(states, spans, twice, alpha=0.4, types=types, head=head)
        >>> torch.allclose(losses.loss, losses.task + 0.1 * losses.divergence)
        True

    Source: eq-rdrop in the chapter "R-Drop: two views of one sentence"; Liang et al. 2021, with Su's divergence (2022).
    """
    check_weight("alpha", alpha)
    cells = _checked(input, gold, attention_mask, types, head, views=2)
    once, _ = two_views(attention_mask)
    if head is not None and _takes_tiles(head, input):
        return tiled_head_loss(head, input, cells, attention_mask=once, views=2, alpha=alpha)
    first, second = two_views(_scores(input, attention_mask, head))
    mask = span_mask(once)
    return rdrop_loss(
        first,
        second,
        lambda view: sparse_multilabel_cross_entropy(view, cells, class_dims=2, mask=mask),
        alpha=alpha,
        activation="sigmoid",
        class_dims=2,
        mask=mask,
    )


def _takes_tiles(head: nn.Module, hidden_states: Tensor) -> bool:
    return hasattr(head, "project") and hidden_states.shape[1] >= TILED_FROM


def _scores(input: Tensor, attention_mask: Tensor, head: nn.Module | None) -> Tensor:
    """The logits: given, or those of the head."""
    if head is None:
        return input
    logits: Tensor = head(input, attention_mask)
    _check_logits("head must give logits", logits, attention_mask)
    return logits


def _checked(
    input: Tensor,
    gold: Gold,
    attention_mask: Tensor,
    types: Sequence[str] | None,
    head: nn.Module | None,
    views: int,
) -> Tensor:
    """Check the arguments against each other; return the gold cells, a plain tensor on the device of `input`."""
    check_head(head)
    check_floating("input", input)
    check_token_mask(attention_mask)
    if attention_mask.ndim != 2:
        raise ValueError(f"attention_mask must have shape (batch, L), got {tuple(attention_mask.shape)}")
    if head is None:
        _check_logits("input must be logits", input, attention_mask)
    elif input.ndim != 3 or input.shape[:2] != attention_mask.shape:
        batch, length = attention_mask.shape
        raise ValueError(
            f"input must be hidden states ({batch}, {length}, hidden_size) with a head, as many as attention_mask has "
            f"rows and tokens, got {tuple(input.shape)}"
        )
    if views == 2:
        first, second = two_views(attention_mask)
        if not torch.equal(first, second):
            raise ValueError(
                "the halves of attention_mask must be equal: the second view of all sentences stands after the first "
                "of all, as `doubled` puts them"
            )
    check_same_device("attention_mask", attention_mask, input)
    if isinstance(gold, GoldCells):
        cells = gold
    elif isinstance(gold, Tensor):
        raise TypeError(
            "gold must be the spans of each sentence, lists of (type, start, end) with end exclusive, or what "
            "`gold_cells` makes of them, got a tensor. If its rows are (sentence, type, first, LAST token), "
            "say so by gold.as_subclass(GoldCells)"
        )
    elif isinstance(gold, str) or not isinstance(gold, Sequence):
        raise TypeError(f"gold must be a list with the spans of each sentence, got {gold!r:.80}")
    elif types is None:
        raise TypeError("types must name the heads, in order, where gold are spans; got None")
    else:
        sentences = len(attention_mask) // views
        if len(gold) != sentences:
            raise ValueError(f"gold must hold the spans of each of {sentences} sentences, got {len(gold)} lists")
        cells = gold_cells(gold, types)
        _check_places(cells, types, attention_mask)
    heads = input.shape[1] if head is None else getattr(head, "num_types", None)
    if types is not None:
        check_types(types, heads)
    return cells.to(input.device).as_subclass(Tensor)


def _check_places(cells: Tensor, types: Sequence[str], attention_mask: Tensor) -> None:
    """Raise ValueError for the first span that is not on tokens of its sentence, in the form it was given in."""
    real = nn.functional.pad(attention_mask.cpu().bool(), (0, 1))  # beyond the row there is no token
    sentence, ends = cells[:, 0], cells[:, 2:].clamp(max=attention_mask.shape[1])
    for row in (~real[sentence[:, None], ends].all(-1)).nonzero()[:1, 0].tolist():
        b, h, i, j = cells[row].tolist()
        tokens = max(real[b].nonzero()[:, 0].tolist(), default=-1) + 1
        wrong = f"ends beyond its {tokens} tokens (end is exclusive)" if j >= tokens else "begins or ends on padding"
        raise ValueError(f"gold: {(types[h], i, j + 1)} of sentence {b} {wrong}")


def _check_logits(what: str, logits: Tensor, attention_mask: Tensor) -> None:
    """Raise ValueError unless logits are (B, H, L, L), B and L those of the mask."""
    batch, length = attention_mask.shape
    if logits.ndim != 4 or (logits.shape[0], *logits.shape[2:]) != (batch, length, length):
        raise ValueError(
            f"{what} ({batch}, types, {length}, {length}) for an attention_mask of shape ({batch}, {length}), "
            f"got {tuple(logits.shape)}"
        )
