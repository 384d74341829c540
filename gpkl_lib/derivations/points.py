"""The points at which values are compared, and the domains of symbols that may not lie anywhere.

A `Domain` is called with a random generator, the kind of point ("mild", "one-hot", ...; see `KINDS`) and n.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp
from mpmath import mp, mpf

from gpkl_lib.derivations.notation import n as size
from gpkl_lib.derivations.notation import tau

Domain = Callable[[random.Random, str, int], Any]


@dataclass(frozen=True)
class Point:
    """Values for the free symbols: a number for a Symbol, n numbers for an IndexedBase, an integer for an index.

    Example:
        >>> from mpmath import mpf
        >>> from gpkl_lib.derivations.notation import c, s
        >>> print(Point("mild", {c: mpf(2), s: [mpf(1), mpf(0)]}))
        c = 2.0, s = [1.0, 0.0]
    """

    kind: str
    values: Mapping[sp.Expr, Any]

    def __str__(self) -> str:
        def show(x: Any) -> str:
            return mp.nstr(x, 12) if isinstance(x, mpf) else str(x)

        texts = {
            key: "[" + ", ".join(map(show, x)) + "]" if isinstance(x, list) else show(x)
            for key, x in self.values.items()
        }
        return ", ".join(f"{key} = {text}" for key, text in sorted(texts.items(), key=lambda pair: str(pair[0])))


KINDS = ("mild", "wide", "close", "equal", "shifted", "one-hot", "opposite", "half precision")


def points(
    free: set[Any],
    *,
    seed: int = 0,
    kinds: tuple[str, ...] = KINDS,
    distinct: bool = False,
    where: Mapping[Any, Domain] | None = None,
) -> Iterator[Point]:
    """Two points of each kind, n from 2 to 5: ordinary logits, +-1e3, nearly equal views, +-65504, ...

    Args:
        free: the symbols, vectors and sets of indices that need a value.
        distinct: every vector's largest entry leads by at least 0.1 (needed where a winner is named).
        where: the domains of those that have one of their own.

    Raises:
        ValueError: a vector is declared positive and has no domain.
    """
    where = where or {}
    rng = random.Random(seed)
    for turn, kind in enumerate(kinds * 2):
        length = 2 + (turn * 3 + turn // len(kinds)) % 4  # the two points of a kind differ in n
        values: dict[sp.Expr, Any] = {size: length}
        first: list[mpf] | None = None
        for key in sorted(free - {size}, key=str):
            if key in where:
                values[key] = where[key](rng, kind, length)
            elif isinstance(key, sp.IndexedBase):
                if key.is_positive or key.label.is_positive:
                    raise ValueError(f"{key} is positive: say in `where` which numbers it may hold")
                values[key] = _vector(rng, kind, length, first)
                first = first or values[key]  # the other vectors may be drawn close to it, or opposite
                if distinct:
                    values[key][rng.randrange(length)] = max(values[key]) + mpf("0.1")
            elif not key.is_Symbol:
                values[key] = subset()(rng, kind, length)
            elif key.is_integer:
                values[key] = rng.randint(1, length)
            elif key == tau:
                values[key] = mpf(f"{rng.random():.6f}")
            else:
                size_of = mpf(f"{10 ** rng.uniform(-2, 2):.6f}")
                values[key] = size_of if key.is_positive else size_of * rng.choice((-1, 1))
        yield Point(kind, values)


def _vector(rng: random.Random, kind: str, length: int, first: list[mpf] | None) -> list[mpf]:
    reach = {"wide": 1000.0, "half precision": 65504.0}.get(kind, 3.0)
    fresh = [mpf(f"{rng.uniform(-reach, reach):.6f}") for _ in range(length)]
    if kind == "one-hot" or (kind == "opposite" and first is None):
        winner = rng.randrange(length)
        return [mpf(1000 if place == winner else -1000) for place in range(length)]
    if first is None:
        return fresh
    if kind == "close":
        return [x + y * mpf("1e-6") for x, y in zip(first, fresh, strict=True)]
    if kind == "equal":
        return list(first)
    if kind == "shifted":
        return [x + 7 for x in first]
    if kind == "opposite":
        return [-x for x in first]
    return fresh


def interval(low: float, high: float, *, log: bool = False) -> Domain:
    """A number strictly between `low` and `high`, near an end at the extreme kinds of point.

    Args:
        log: uniform in the logarithm; both ends must be positive.

    Example:
        >>> import random
        >>> 0 < interval(0, 1)(random.Random(0), "mild", 3) < 1
        True
    """
    if not low < high or (log and low <= 0):
        raise ValueError(f"an interval needs low < high (and 0 < low if log), got {low}, {high}")

    def draw(rng: random.Random, kind: str, length: int) -> mpf:
        share = {"one-hot": 1e-3, "half precision": 1 - 1e-3}.get(kind, rng.uniform(0.01, 0.99))
        x = low * (high / low) ** share if log else low + (high - low) * share
        return mpf(f"{x:.9g}")

    return draw


def integers(low: int, high: int) -> Domain:
    """A whole number from `low` to `high`, both reached.

    Example:
        >>> import random
        >>> 1 <= integers(1, 6)(random.Random(0), "mild", 3) <= 6
        True
    """

    def draw(rng: random.Random, kind: str, length: int) -> int:
        return {"one-hot": low, "half precision": high}.get(kind, rng.randint(low, high))

    return draw


def distribution(*, zeros: bool = False) -> Domain:
    """n probabilities, none of them 0; with `zeros`, some points have them (0 log 0 counts as 0).

    Example:
        >>> import random
        >>> p = distribution()(random.Random(0), "mild", 3)
        >>> len(p), round(float(sum(p)), 12)
        (3, 1.0)
    """

    def draw(rng: random.Random, kind: str, length: int) -> list[mpf]:
        spread = {"equal": 0.0, "wide": 20.0, "one-hot": 200.0, "half precision": 60.0}.get(kind, 2.0)
        with mp.workdps(60):
            weights = [mp.exp(mpf(f"{rng.gauss(0, spread):.6f}")) for _ in range(length)]
        if zeros and kind in ("one-hot", "opposite", "shifted"):
            keep = rng.sample(range(length), 1 if kind == "one-hot" else length - 1)
            weights = [w if place in keep else mpf(0) for place, w in enumerate(weights)]
        with mp.workdps(300):
            return [w / mp.fsum(weights) for w in weights]

    draw.simplex = True  # type: ignore[attr-defined]  # a proof may use that they add up to 1
    return draw


def vector(low: float, high: float) -> Domain:
    """n numbers strictly between `low` and `high`.

    Example:
        >>> import random
        >>> len(vector(-1, 1)(random.Random(0), "mild", 3))
        3
    """
    one = interval(low, high)
    return lambda rng, kind, length: [one(rng, "mild", length) for _ in range(length)]


def matrix(low: float, high: float) -> Domain:
    """n rows of n numbers strictly between `low` and `high`, for an IndexedBase with two indices.

    Example:
        >>> import random
        >>> [len(row) for row in matrix(-1, 1)(random.Random(0), "mild", 3)]
        [3, 3, 3]
    """
    row = vector(low, high)
    return lambda rng, kind, length: [row(rng, kind, length) for _ in range(length)]


def subset(least: int = 0, most: int | None = None) -> Domain:
    """A set of indices with `least` to `most` (default: n) members; the fewest and the most at the extreme kinds.

    `most` may be negative, then it counts from n: -1 leaves out one index at least.

    Example:
        >>> import random
        >>> len(subset(least=1)(random.Random(0), "mild", 5)) >= 1
        True
    """

    def draw(rng: random.Random, kind: str, length: int) -> tuple[int, ...]:
        limit = length if most is None else most if most >= 0 else length + most
        size = {"one-hot": least, "equal": limit}.get(kind, rng.randint(least, limit))
        return tuple(sorted(rng.sample(range(1, length + 1), size)))

    return draw
