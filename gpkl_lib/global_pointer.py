"""GlobalPointer: one score for every (type, start, end), from hidden states.

Notation: B batch, L tokens, H heads (one a span type), d head size, q and k the query and key of a token.

    score[b, h, i, j] = q_i . k_j / sqrt(d),  rotary position in both, for i <= j: the span of tokens i ... j
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gpkl_lib._checks import check_floating, check_tensor


def rotary_embedding(x: Tensor, position: int = -2, scale: Tensor | float = 1.0) -> Tensor:
    """Rotate each pair of features by an angle that grows with the position: q_i . k_j then depends on j - i.

    Args:
        x: (..., L, d) with d even, or with other dimensions between L and d.
        position: the dimension of L.
        scale: what to multiply by on the way; broadcasts over the dimensions after L.

    Returns:
        The shape and dtype of `x`. Angles are computed in float32 at least: half precision cannot count past 2048.

    Raises:
        ValueError: d is odd.

    Source: Su et al. 2021 (RoFormer), equation 34.
    """
    length, *between, d = x.shape[position:]
    if d % 2:
        raise ValueError(f"rotary position needs an even feature size, got {d}")
    dtype = torch.promote_types(x.dtype, torch.float32)
    angle = rotary_angles(length, d, dtype, x.device)
    cos, sin = (turn.view(length, *[1] * len(between), d // 2) * scale for turn in (angle.cos(), angle.sin()))
    if x.dtype == dtype and not torch.compiler.is_compiling():  # a pair is a complex number, turned by one product
        turn = torch.complex(cos, sin).expand(length, *between, d // 2).contiguous()  # long rows multiply faster
        pairs = torch.view_as_complex(x.contiguous().view(*x.shape[:-1], d // 2, 2))
        return torch.view_as_real(pairs * turn).flatten(-2)
    cos, sin, even, odd = cos.to(x.dtype), sin.to(x.dtype), x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], -1).flatten(-2)


def rotary_angles(length: int, d: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Angles (L, d/2), in radians, by which each pair of a token's d features is turned."""
    frequency = 10000.0 ** (-torch.arange(0, d, 2, device=device, dtype=dtype) / d)
    return torch.arange(length, device=device, dtype=dtype)[:, None] * frequency


def span_mask(attention_mask: Tensor) -> Tensor:
    """Mask of the cells of the score matrix that are spans: both ends real tokens, start not after end.

    Args:
        attention_mask: (B, L), True or 1 for a real token.

    Returns:
        Boolean (B, 1, L, L), True = a span; broadcasts over the types.

    Raises:
        ValueError: attention_mask is not two-dimensional.

    Example:
        >>> span_mask(torch.tensor([[1, 1, 0]])).int()
        tensor([[[[1, 1, 0],
                  [0, 1, 0],
                  [0, 0, 0]]]], dtype=torch.int32)
    """
    if attention_mask.ndim != 2:
        raise ValueError(f"attention_mask must have shape (batch, L), got {tuple(attention_mask.shape)}")
    real = attention_mask.bool()
    return (real[:, None, :, None] & real[:, None, None, :]).triu()


def token_mask(attention_mask: Tensor | None, shape: tuple[int, int], device: torch.device) -> Tensor:
    """Mask (B, L), True = a real token; without an attention_mask every token is.

    Raises:
        TypeError: attention_mask is floating point.
        ValueError: attention_mask is not of that shape.
    """
    if attention_mask is None:
        return torch.ones(shape, dtype=torch.bool, device=device)
    if attention_mask.shape != shape:
        raise ValueError(f"attention_mask must have shape {shape}, got {tuple(attention_mask.shape)}")
    check_token_mask(attention_mask)
    return attention_mask.bool()


def check_token_mask(attention_mask: Tensor) -> None:
    """Raise TypeError unless boolean or integer: an additive mask, 0 and -10000, would be taken for its opposite."""
    check_tensor("attention_mask", attention_mask)
    if attention_mask.is_floating_point():
        raise TypeError(
            f"attention_mask must be boolean or integer, True or 1 for a real token, got dtype {attention_mask.dtype}"
        )


class SpanHead(nn.Module):
    """Base of both heads: checked sizes and input, scaled and rotated queries and keys, the one mask."""

    def __init__(self, hidden_size: int, num_types: int, head_size: int, rotary: bool) -> None:
        super().__init__()
        for name, value in (("hidden_size", hidden_size), ("num_types", num_types), ("head_size", head_size)):
            if value < 1:
                raise ValueError(f"{name} must be positive, got {value}")
        if rotary and head_size % 2:
            raise ValueError(f"head_size must be even for rotary position, got {head_size}")
        self.hidden_size, self.num_types, self.head_size, self.rotary = hidden_size, num_types, head_size, rotary

    def check_hidden(self, hidden_states: Tensor) -> None:
        """Raise TypeError or ValueError unless they are floating point and (B, L, hidden_size)."""
        check_floating("hidden_states", hidden_states)
        if hidden_states.ndim != 3 or hidden_states.shape[-1] != self.hidden_size:
            raise ValueError(
                f"hidden_states must have shape (batch, L, {self.hidden_size}), got {tuple(hidden_states.shape)}"
            )

    def mask_padding(self, hidden_states: Tensor, attention_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Hidden states with 0 on padding (NaN there would reach every gradient as 0 * NaN), and the token mask."""
        self.check_hidden(hidden_states)
        batch, length, _ = hidden_states.shape
        real = token_mask(attention_mask, (batch, length), hidden_states.device)
        return hidden_states if attention_mask is None else hidden_states.masked_fill(~real[..., None], 0), real

    def query_and_key(self, qk: Tensor, heads: int) -> tuple[Tensor, Tensor]:
        """Rotated query and key, each (B, heads, L, d), with scores q_i . k_j, from a projection (B, L, 2 * heads * d).

        The query is divided by sqrt(d), and not the product, which would overflow in half precision.
        """
        qk = qk.view(*qk.shape[:2], 2, heads, self.head_size)
        scale = torch.tensor([self.head_size**-0.5, 1.0], dtype=qk.dtype, device=qk.device).view(2, 1, 1)
        qk = rotary_embedding(qk, 1, scale) if self.rotary else qk * scale
        query, key = (x.transpose(1, 2) for x in qk.unbind(2))
        return query, key

    @staticmethod
    def mask_scores(logits: Tensor, real: Tensor) -> Tensor:
        """Logits with the dtype's lowest number off the spans: below every threshold, equal in two views."""
        # not -inf: a divergence subtracts two views, and -inf less -inf is NaN
        return logits.masked_fill(~span_mask(real), torch.finfo(logits.dtype).min)


class GlobalPointer(SpanHead):
    """Score every span of every type by a query and a key of its own: H * 2d * (hidden_size + 1) parameters.

    Args:
        hidden_size: features of a hidden state.
        num_types: H, span types; each is one head.
        head_size: d, features of a query; even if rotary.
        rotary: encode relative position; without it a span's length is invisible to the scores.

    Raises:
        ValueError: a size below 1, or an odd head_size with rotary.

    Example:
        >>> head = GlobalPointer(hidden_size=768, num_types=3)
        >>> states, attention_mask = torch.randn(2, 7, 768), torch.ones(2, 7, dtype=torch.long)
        >>> head(states, attention_mask).shape
        torch.Size([2, 3, 7, 7])

    Source: Su et al. 2022, "Global Pointer: Novel Efficient Span-based Approach for NER".
    """

    def __init__(self, hidden_size: int, num_types: int, head_size: int = 64, *, rotary: bool = True) -> None:
        super().__init__(hidden_size, num_types, head_size, rotary)
        self.projection = nn.Linear(hidden_size, 2 * num_types * head_size)

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Logits (B, H, L, L) of hidden states (B, L, hidden_size); attention_mask is (B, L) with 1 = real.

        Cells that are no span hold the dtype's lowest number.

        Raises:
            TypeError: hidden_states not floating point, or attention_mask not boolean or integer.
            ValueError: hidden_states or attention_mask of another shape.
        """
        hidden_states, real = self.mask_padding(hidden_states, attention_mask)
        query, key = self.query_and_key(self.projection(hidden_states), self.num_types)
        return self.mask_scores(torch.matmul(query, key.mT), real)

    def project(self, hidden_states: Tensor, attention_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Query and key, each (B, H, L, d), with scores q_i . k_j: what `tiled_span_loss` takes in the logits' place.

        Arguments and errors are those of `forward`.
        """
        hidden_states, _ = self.mask_padding(hidden_states, attention_mask)
        return self.query_and_key(self.projection(hidden_states), self.num_types)


class EfficientGlobalPointer(SpanHead):
    """Find spans once for all types, then type them: 2d * (hidden_size + 1) + 2H * (2d + 1) parameters.

    score[b, h, i, j] = q_i . k_j / sqrt(d) + start[h, i] + end[h, j], where start and end are linear in (q, k) of their
    token. Arguments and errors are those of `GlobalPointer`.

    Example:
        >>> small, large = EfficientGlobalPointer(768, num_types=100), GlobalPointer(768, num_types=100)
        >>> [sum(weight.numel() for weight in head.parameters()) for head in (small, large)]
        [124232, 9843200]

    Source: Su 2022, "Efficient GlobalPointer: fewer parameters, better results".
    """

    def __init__(self, hidden_size: int, num_types: int, head_size: int = 64, *, rotary: bool = True) -> None:
        super().__init__(hidden_size, num_types, head_size, rotary)
        self.projection = nn.Linear(hidden_size, 2 * head_size)
        self.typing = nn.Linear(2 * head_size, 2 * num_types)

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Logits (B, H, L, L) of hidden states (B, L, hidden_size); attention_mask is (B, L) with 1 = real.

        Cells that are no span hold the dtype's lowest number.

        Raises:
            TypeError: hidden_states not floating point, or attention_mask not boolean or integer.
            ValueError: hidden_states or attention_mask of another shape.
        """
        hidden_states, real = self.mask_padding(hidden_states, attention_mask)
        qk = self.projection(hidden_states)
        query, key = self.query_and_key(qk, 1)  # each (B, 1, L, d)
        start, end = self.typing(qk).transpose(1, 2).chunk(2, 1)  # each (B, H, L)
        return self.mask_scores(torch.matmul(query, key.mT) + start[..., :, None] + end[..., None, :], real)

    def project(self, hidden_states: Tensor, attention_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Query and key, each (B, H, L, d + 2), with scores q_i . k_j: [q, start, 1] and [k, 1, end].

        Arguments and errors are those of `forward`.
        """
        hidden_states, _ = self.mask_padding(hidden_states, attention_mask)
        qk = self.projection(hidden_states)
        start, end = self.typing(qk).transpose(1, 2)[..., None].chunk(2, 1)  # each (B, H, L, 1)
        query, key = (x.expand(*start.shape[:3], -1) for x in self.query_and_key(qk, 1))
        one = torch.ones_like(start)
        return torch.cat([query, start, one], -1), torch.cat([key, one, end], -1)
