"""Traits of explorables that know their ranges: each is synchronised with the picture and names itself in its error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import traitlets


def check_range(name: str, value: float, low: float, high: float) -> float:
    """Raise `TraitError` unless low <= value <= high; return the value."""
    if not low <= value <= high:
        raise traitlets.TraitError(f"{name} must lie between {low:g} and {high:g}, got {value}")
    return value


class Ranged(traitlets.Float[float, Any]):
    """A number between `low` and `high`, both included."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__(low)
        self.low, self.high = low, high
        self.tag(sync=True)

    def validate(self, obj: Any, value: Any) -> float:
        """Return the value, or raise `TraitError` where it is outside the range."""
        return check_range(str(self.name), super().validate(obj, value), self.low, self.high)


class RangedInt(traitlets.Int[int, Any]):
    """A whole number between `low` and `high`, both included."""

    def __init__(self, low: int, high: int) -> None:
        super().__init__(low)
        self.low, self.high = low, high
        self.tag(sync=True)

    def validate(self, obj: Any, value: Any) -> int:
        """Return the value, or raise `TraitError` where it is outside the range."""
        return int(check_range(str(self.name), super().validate(obj, value), self.low, self.high))


class RangedList(traitlets.List[Any]):
    """Numbers between `low` and `high`, at least `least` and at most `most` of them; errors call these `what`."""

    def __init__(self, low: float, high: float, *, least: int, most: int, what: str) -> None:
        super().__init__(traitlets.Float())
        self.low, self.high, self.least, self.most, self.what = low, high, least, most, what
        self.tag(sync=True)

    def validate(self, obj: Any, value: Any) -> list[float]:
        """Return the values, or raise `TraitError` where there are too few, too many, or one is outside the range."""
        values = super().validate(obj, value) or []
        if not self.least <= len(values) <= self.most:
            raise traitlets.TraitError(f"{self.name} must hold {self.what}, got {len(values)}")
        return [self.check(each) for each in values]

    def check(self, value: float) -> float:
        """Return the value, or raise `TraitError` where it is outside the range."""
        return check_range(str(self.name), value, self.low, self.high)


class Logits(RangedList):
    """2 to 6 finite logits."""

    def __init__(self) -> None:
        super().__init__(-1e6, 1e6, least=2, most=6, what="2 to 6 logits")

    def check(self, value: float) -> float:
        """Return the value, or raise `TraitError` where it is infinite or too large."""
        if not self.low <= value <= self.high:
            raise traitlets.TraitError(f"{self.name} must hold finite logits of size at most 1e6, got {value}")
        return value


class ScoreRows(traitlets.List[Any]):
    """For each span type the scores of a sentence's spans, row by row, of size at most 1e4."""

    def __init__(self) -> None:
        super().__init__(traitlets.List(traitlets.Float()))
        self.tag(sync=True)

    def validate(self, obj: Any, value: Any) -> list[list[float]]:
        """Return the rows, or raise `TraitError` where a score is too large."""
        rows = super().validate(obj, value) or []
        for score in (score for row in rows for score in row):
            check_range(f"every score of {self.name}", score, -1e4, 1e4)
        return rows


def check_triangles(cells: int, types: int, **views: Iterable[Sequence[float]]) -> None:
    """Raise `ValueError` unless each of the views holds `cells` scores for each of the types."""
    for name, view in views.items():
        sizes = [len(row) for row in view]
        if sizes != [cells] * types:
            raise ValueError(f"{name} must hold {cells} scores for each of {types} types, got {sizes}")
