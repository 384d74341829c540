"""Where the tiles' queries and keys come from, group by group, and where their gradients go.

Notation: V views, B sentences, H types, L tokens, d features of a query or key, D of a hidden state; a group is b
sentences, h types and n tokens of them (`gpkl_lib.tiled.groups`).
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from gpkl_lib.tiled.groups import Group
from gpkl_lib.tiled.workspace import Workspace


class Source(Protocol):
    """What is asked for one group after the other: `load`, then, if gradients are wanted, `add_gradients`."""

    types: int
    views: int
    sum_dtype: torch.dtype  # of scores, sums and gradients: float32 for half precision

    def load(self, group: Group, workspace: Workspace) -> tuple[Tensor, Tensor]:
        """Compute query and key of the group, each (V, b, h, n, d), finite on padding, in the workspace."""

    def add_gradients(self, group: Group, gradients: list[Tensor], workspace: Workspace) -> None:
        """Send on the gradients of that query and key, of their shape, 0 on padding."""

    def gradients(self) -> list[Tensor | None]:
        """When all groups are done: those of the arguments that want one, in `sum_dtype`."""


class ProjectedSource:
    """Queries and keys (V * B, H, L, d) that have been computed before; `real` is boolean (B, L).

    The workspace keeps a group's under `name`, so that two sources can be loaded side by side.
    """

    def __init__(self, query: Tensor, key: Tensor, real: Tensor, differentiate: bool, name: str = "") -> None:
        self.shape, self.types, self.real, self.name = query.shape, query.shape[1], real, name
        self.views = _views(query, real)
        shape = (self.views, len(real), *query.shape[1:])
        self.query, self.key = (x.detach().view(shape) for x in (query, key))
        self.sum_dtype = torch.promote_types(query.dtype, torch.float32)
        new = torch.empty if bool(real.all()) else torch.zeros  # padding is in no group
        self.sums = [new(shape, dtype=self.sum_dtype, device=query.device) for _ in range(2)] if differentiate else []

    def load(self, group: Group, workspace: Workspace) -> tuple[Tensor, Tensor]:
        """Copy query and key of the group to the workspace."""
        at = _place(group)
        query = workspace.empty(f"{self.name}query", self.query[at].shape).copy_(self.query[at])
        key = workspace.empty(f"{self.name}key", query.shape).copy_(self.key[at])
        for x in (query, key):
            _zero_padding(x, group, self.real[:, None])
        return query, key

    def add_gradients(self, group: Group, gradients: list[Tensor], workspace: Workspace) -> None:
        """Put the gradients where the group stands; no other has a part there."""
        for whole, part in zip(self.sums, gradients, strict=True):
            whole[_place(group)] = part

    def gradients(self) -> list[Tensor | None]:
        """The gradients of query and key."""
        return [x.view(self.shape) for x in self.sums]


class HeadSource:
    """Queries and keys from hidden states, computed when a group is loaded: they are never there all at once.

    Args:
        hidden: (V * B, L, D).
        weight, bias: (2 * H * d, D) and (2 * H * d,), of all queries, then of all keys.
        rotation: factors of their features: of pairs complex (2, L, d / 2), or of each real (2, 1, 1).
        types: H.
        real: boolean (B, L), True = a real token.
        dtype: of the linear map and its derivatives.
        differentiate: which of hidden, weight and bias want a gradient.
    """

    def __init__(
        self,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        rotation: Tensor,
        types: int,
        real: Tensor,
        dtype: torch.dtype,
        differentiate: tuple[bool, ...],
    ) -> None:
        self.rotation = rotation[:, None, None, None]  # of (2, V, b, h, n, features)
        self.inverse_rotation = self.rotation.conj().resolve_conj()  # now, and not in every product
        self.types, self.real, self.map_dtype = types, real, dtype
        self.shapes = hidden.shape, weight.shape, bias.shape
        self.sum_dtype = torch.promote_types(dtype, torch.float32)
        self.views = _views(hidden, real)
        self.hidden = hidden.detach().view(self.views, len(real), *hidden.shape[1:])
        self.weight = weight.detach().to(dtype).view(2, types, -1, weight.shape[1])
        self.bias = bias.detach().to(dtype).view(2, types, -1)
        self.by_hidden, self.by_weight, self.by_bias = (
            torch.zeros_like(x, dtype=self.sum_dtype) if wanted else None
            for x, wanted in zip((self.hidden, self.weight, self.bias), differentiate, strict=True)
        )

    def load(self, group: Group, workspace: Workspace) -> tuple[Tensor, Tensor]:
        """Project and rotate the hidden states of the group, and keep both factors of the product for its gradients."""
        states = self.hidden[:, group.index(), : group.n]
        x = self._empty("hidden", states.shape, workspace).copy_(states)  # (V, b, n, D)
        _zero_padding(x, group, self.real)
        types = slice(group.first, group.last)
        self.group_hidden, self.group_weight = x.flatten(0, 2), self.weight[:, types].flatten(0, 2)
        flat = self._empty("projected", (len(self.group_hidden), len(self.group_weight)), workspace)  # (V b n, 2 h d)
        torch.addmm(self.bias[:, types].flatten(), self.group_hidden, self.group_weight.mT, out=flat)
        heads = self._heads(flat.to(self.sum_dtype), x.shape[:3])
        rotated = workspace.empty("query and key", heads.shape)
        torch.mul(self._pairs(heads), self.rotation[..., : group.n, :], out=self._pairs(rotated))
        query, key = rotated
        return query, key

    def add_gradients(self, group: Group, gradients: list[Tensor], workspace: Workspace) -> None:
        """Rotate the gradients back, and add what they send through the linear map to those of its arguments."""
        views, b, _, n, _ = gradients[0].shape
        by_projected = workspace.empty("projected", (len(self.group_hidden), len(self.group_weight)))
        both = self._heads(by_projected, (views, b, n))
        for heads, x, inverse in zip(both, gradients, self.inverse_rotation[..., :n, :], strict=True):
            torch.mul(self._pairs(x), inverse, out=self._pairs(heads))
        rounded, types = by_projected.to(self.map_dtype), slice(group.first, group.last)
        if self.by_hidden is not None:
            product = self._empty("by hidden", self.group_hidden.shape, workspace)
            torch.mm(rounded, self.group_weight, out=product)
            self.by_hidden[:, group.index(), :n] += product.view(views, b, n, -1)
        if self.by_weight is not None:
            self.by_weight[:, types] += torch.mm(rounded.mT, self.group_hidden).view(self.weight[:, types].shape)
        if self.by_bias is not None:
            self.by_bias[:, types] += by_projected.sum(0).view(self.bias[:, types].shape)

    def gradients(self) -> list[Tensor | None]:
        """The gradients of hidden states, weight and bias, None where it is not wanted."""
        sums = self.by_hidden, self.by_weight, self.by_bias
        return [x if x is None else x.view(shape) for x, shape in zip(sums, self.shapes, strict=True)]

    def _empty(self, name: str, shape: tuple[int, ...], workspace: Workspace) -> Tensor:
        """A tensor of the map's dtype; in half precision, which the workspace does not have, of new memory."""
        return workspace.empty(name, shape) if self.map_dtype == self.sum_dtype else self.weight.new_empty(shape)

    def _heads(self, flat: Tensor, shape: tuple[int, ...]) -> Tensor:
        """(V b n, 2 h d) as (2, V, b, h, n, d), in place; `shape` is (V, b, n)."""
        return flat.view(*shape, 2, -1, self.bias.shape[2]).permute(3, 0, 1, 4, 2, 5)

    def _pairs(self, x: Tensor) -> Tensor:
        """(..., d) as complex (..., d / 2), in place, if pairs are rotated."""
        if not self.rotation.is_complex():
            return x
        return torch.view_as_complex(x.view(*x.shape[:-1], x.shape[-1] // 2, 2))


def _views(rows: Tensor, real: Tensor) -> int:
    """V, the number of views in what has V * B rows."""
    return len(rows) // len(real) if len(real) else 1


def _place(group: Group) -> tuple[slice, list[int] | slice, slice, slice]:
    """Where a group stands in (V, B, H, L, d)."""
    return slice(None), group.index(), slice(group.first, group.last), slice(group.n)


def _zero_padding(x: Tensor, group: Group, real: Tensor) -> None:
    """Put 0 on the padding of (..., b, n, features), by `real` (B, L), or of (..., b, h, n, features), by (B, 1, L).

    NaN there would reach every sum as 0 * NaN.
    """
    if not group.whole:
        x.masked_fill_(~real[group.sentences, ..., : group.n, None], 0)
