"""Where the tiles' queries and keys come from, group by group, and where their gradients go.

Notation: V views, B sentences, H types, L tokens, d features of a query or key, D of a hidden state; a group is b
sentences, h types and n tokens of them (`gpkl_lib.tiled.groups`).
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from gpkl_lib.tiled.groups import Group
from gpkl_lib.tiled.workspace import Buffers


class Source(Protocol):
    """What is asked for one group after the other: `take`, then, if gradients are wanted, `give`."""

    types: int
    dtype: torch.dtype  # of the sums

    def take(self, group: Group, buffers: Buffers) -> tuple[Tensor, Tensor]:
        """Query and key of the group, each (V, b, h, n, d), in buffers; padding holds anything."""

    def give(self, group: Group, gradients: list[Tensor], buffers: Buffers) -> None:
        """Gradients of that query and key, of their shape, 0 on padding."""

    def gradients(self) -> list[Tensor | None]:
        """When all groups are done: those of the arguments that want one, in the dtype of the sums."""


class Given:
    """Queries and keys (V * B, H, L, d) that somebody has computed."""

    def __init__(self, query: Tensor, key: Tensor, real: Tensor, wanted: bool) -> None:
        self.shape, self.types = query.shape, query.shape[1]
        shape = (_views(query, real), len(real), *query.shape[1:])
        self.query, self.key = (x.detach().view(shape) for x in (query, key))
        self.dtype = torch.promote_types(query.dtype, torch.float32)
        new = torch.empty if bool(real.all()) else torch.zeros  # padding is in no group
        self.sums = [new(shape, dtype=self.dtype, device=query.device) for _ in range(2)] if wanted else []

    def take(self, group: Group, buffers: Buffers) -> tuple[Tensor, Tensor]:
        query, key = self.query[_part(group)], self.key[_part(group)]
        return buffers("query", query.shape).copy_(query), buffers("key", key.shape).copy_(key)

    def give(self, group: Group, gradients: list[Tensor], buffers: Buffers) -> None:
        for whole, part in zip(self.sums, gradients, strict=True):
            whole[_part(group)] = part

    def gradients(self) -> list[Tensor | None]:
        return [x.view(self.shape) for x in self.sums]


class Projected:
    """Queries and keys from hidden states, computed when a group is taken: they are never there all at once.

    Args:
        hidden: (V * B, L, D).
        weight, bias: (2 * H * d, D) and (2 * H * d,), of all queries, then of all keys.
        turn: what their features are multiplied by: in pairs by complex (2, L, d / 2), or each by real (2, 1, 1).
        types: H.
        real: boolean (B, L), True = a real token.
        dtype: of the linear map and its derivatives.
        wanted: which of hidden, weight and bias want a gradient.
    """

    def __init__(
        self,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        turn: Tensor,
        types: int,
        real: Tensor,
        dtype: torch.dtype,
        wanted: tuple[bool, ...],
    ) -> None:
        self.turn, self.back = turn[:, None, None, None], turn.conj().resolve_conj()[:, None, None, None]
        self.types, self.real, self.low = types, real, dtype
        self.shapes = hidden.shape, weight.shape, bias.shape
        self.dtype = torch.promote_types(dtype, torch.float32)
        self.hidden = hidden.detach().view(_views(hidden, real), len(real), *hidden.shape[1:])
        self.weight = weight.detach().to(dtype).view(2, types, -1, weight.shape[1])
        self.bias = bias.detach().to(dtype).view(2, types, -1)
        self.by_hidden, self.by_weight, self.by_bias = (
            torch.zeros_like(x, dtype=self.dtype) if want else None
            for x, want in zip((self.hidden, self.weight, self.bias), wanted, strict=True)
        )

    def take(self, group: Group, buffers: Buffers) -> tuple[Tensor, Tensor]:
        states = self.hidden[:, group.index(), : group.n]  # (V, b, n, D)
        x = self._room("hidden", states.shape, buffers).copy_(states)
        if not group.whole:  # NaN on padding would reach the weight's gradient as 0 * NaN
            x.masked_fill_(~self.real[group.sentences, : group.n, None], 0)
        types = slice(group.first, group.last)
        self.x, self.part = x.flatten(0, 2), self.weight[:, types].flatten(0, 2)  # (V b n, D), (2 h d, D)
        flat = self._room("projected", (len(self.x), len(self.part)), buffers)
        torch.addmm(self.bias[:, types].flatten(), self.x, self.part.mT, out=flat)
        heads = self._heads(flat.to(self.dtype), x.shape[:3])
        query, key = qk = buffers("query and key", heads.shape)
        torch.mul(self._pairs(heads), self.turn[..., : group.n, :], out=self._pairs(qk))
        return query, key

    def give(self, group: Group, gradients: list[Tensor], buffers: Buffers) -> None:
        views, b, _, n, _ = gradients[0].shape
        turned = buffers("projected", (len(self.x), len(self.part)))
        for heads, x, back in zip(self._heads(turned, (views, b, n)), gradients, self.back[..., :n, :], strict=True):
            torch.mul(self._pairs(x), back, out=self._pairs(heads))
        flat, types = turned.to(self.low), slice(group.first, group.last)
        if self.by_hidden is not None:
            by_hidden = torch.mm(flat, self.part, out=self._room("by hidden", self.x.shape, buffers))
            self.by_hidden[:, group.index(), :n] += by_hidden.view(views, b, n, -1)
        if self.by_weight is not None:
            self.by_weight[:, types] += torch.mm(flat.mT, self.x).view(self.weight[:, types].shape)
        if self.by_bias is not None:
            self.by_bias[:, types] += turned.sum(0).view(self.bias[:, types].shape)

    def gradients(self) -> list[Tensor | None]:
        sums = self.by_hidden, self.by_weight, self.by_bias
        return [x if x is None else x.view(shape) for x, shape in zip(sums, self.shapes, strict=True)]

    def _room(self, name: str, shape: tuple[int, ...], buffers: Buffers) -> Tensor:
        """A buffer, or in half precision, which buffers do not have, new memory."""
        return buffers(name, shape) if self.low == self.dtype else self.weight.new_empty(shape)

    def _heads(self, flat: Tensor, shape: tuple[int, ...]) -> Tensor:
        """(V b n, 2 h d) as (2, V, b, h, n, d), in place; `shape` is (V, b, n)."""
        return flat.view(*shape, 2, -1, self.bias.shape[2]).permute(3, 0, 1, 4, 2, 5)

    def _pairs(self, x: Tensor) -> Tensor:
        """(..., d) as complex (..., d / 2), in place, if pairs are turned."""
        if not self.turn.is_complex():
            return x
        return torch.view_as_complex(x.view(*x.shape[:-1], x.shape[-1] // 2, 2))


def _views(rows: Tensor, real: Tensor) -> int:
    """V, from what has V * B rows."""
    return len(rows) // len(real) if len(real) else 1


def _part(group: Group) -> tuple[slice, list[int] | slice, slice, slice]:
    """Where a group stands in (V, B, H, L, d)."""
    return slice(None), group.index(), slice(group.first, group.last), slice(group.n)
