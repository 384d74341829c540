"""What JSON forms have in common: tokens or a text, spans as lists or objects; errors do not know the line yet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gpkl_lib.corpora.corpus import CorpusError
from gpkl_lib.corpora.row import Row
from gpkl_lib.spans import Span


def fields(value: dict[str, Any], tokens_key: str = "tokens") -> Row:
    """The tokens or the text of an object, without spans."""
    tokens, text = value.get(tokens_key), value.get("text")
    if tokens is None and isinstance(text, str):
        return Row(text=text)
    if tokens is None:
        raise CorpusError(
            f'expected "tokens" (a list of strings) or "text" (a string), found keys {short(list(value))}'
        )
    if isinstance(tokens, list) and all(isinstance(token, str) for token in tokens):
        return Row(tokens=tokens)
    if isinstance(tokens, list) and isinstance(text, str) and all(isinstance(token, dict) for token in tokens):
        places = [place(token, "start", "end", len(text)) for token in tokens]
        for token, (start, end) in zip(tokens, places, strict=True):
            _same(token.get("text", text[start:end]), text[start:end], (start, end))
        return Row(tokens=[text[start:end] for start, end in places], text=text, places=places)
    raise CorpusError(f'expected "{tokens_key}" to be a list of strings, found {short(tokens)}')


def as_list(value: Any, key: str) -> list[Any]:
    """The list under a key; nothing there is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise CorpusError(f'expected "{key}" to be a list, found {short(value)}')
    return value


def triple(value: Any, length: int, *, inclusive: bool = False) -> Span:
    """[start, end, type] as a span; `inclusive` where `end` is the last token."""
    match value:
        case [int(start), int(end), str(kind)] if kind and not _boolean(start, end):
            if 0 <= start < end + inclusive <= length:
                return kind, start, end + inclusive
    bounds = (
        f"0 <= start <= end < {length} (end inclusive)"
        if inclusive
        else f"0 <= start < end <= {length} (end exclusive)"
    )
    raise CorpusError(f"expected a span [start, end, type] with {bounds}, found {short(value)}")


def place(
    value: dict[str, Any], start_key: str, end_key: str, length: int, *, inclusive: bool = False
) -> tuple[int, int]:
    """[start, end) of an object with `start_key` and `end_key`."""
    match value.get(start_key), value.get(end_key):
        case int(start), int(end) if not _boolean(start, end) and 0 <= start < end + inclusive <= length:
            return start, end + inclusive
    bounds = f"0 <= {start_key} {'<=' if inclusive else '<'} {end_key} {'<' if inclusive else '<='} {length}"
    raise CorpusError(f"expected {bounds} (end {'inclusive' if inclusive else 'exclusive'}), found {short(value)}")


def kinds(value: Any, row: Row) -> list[str]:
    """The types of one object: a name, a number that stands for one, or a list of names."""
    if isinstance(value, int) and not isinstance(value, bool):
        row.odd.append("span type that is a number")
        return [str(value)]
    found = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(kind, str) and kind for kind in found):
        raise CorpusError(f"expected the type of a span to be a name, found {short(value)}")
    return found


def check_surface(row: Row, start: int, end: int, surface: Any) -> None:
    """Refuse a span whose own copy of its characters or tokens is another."""
    if row.tokens is None:
        _same(surface, (row.text or "")[start:end], (start, end))
    elif isinstance(surface, str):
        _same("".join(surface.split()), "".join("".join(row.tokens[start:end]).split()), (start, end))


def by_characters(row: Row, spans: Sequence[Span]) -> list[Span]:
    """Spans over the characters of a text as spans over its tokens, whose ends they must share."""
    if row.places is None:
        return list(spans)
    starts = {start: index for index, (start, _) in enumerate(row.places)}
    ends = {end: index for index, (_, end) in enumerate(row.places, 1)}
    for kind, start, end in spans:
        if start not in starts or end not in ends:
            raise CorpusError(f"expected {kind} at [{start}, {end}] to begin and end with a token")
    return [(kind, starts[start], ends[end]) for kind, start, end in spans]


def _same(surface: Any, found: str, at: tuple[int, int]) -> None:
    if isinstance(surface, str) and surface != found:
        raise CorpusError(f"expected {surface!r} at [{at[0]}, {at[1]}] (end exclusive), found {found!r}")


def _boolean(*values: int) -> bool:
    """Whether one is true or false, which Python counts among the integers."""
    return any(isinstance(value, bool) for value in values)


def short(value: Any) -> str:
    """A value as JSON, cut after 80 characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
