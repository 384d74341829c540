"""Tags as spans: IOB1, IOB2 (BIO), BIOES, BMES and BILOU, told apart by what a column holds."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence

from gpkl_lib.spans import Span

TAG = re.compile(r"O|[BIMESLU]-.+")  # the type begins after the first hyphen, and may hold more of them
SEVERAL = re.compile(r"[,|]([BIMESLU]-|O$)")  # B-person,B-group: the labels of several annotators in one tag
GOES_ON, ENDS, BEGINS = "IMEL", "ESLU", "BSU"


@functools.cache
def is_tag(text: str) -> bool:
    """Whether `text` is O or a prefix, a hyphen and a type."""
    return TAG.fullmatch(text) is not None and SEVERAL.search(text) is None


def detect_scheme(column: Iterable[Sequence[str]]) -> str:
    """The scheme of a column of valid tags, given by sentence: "BMES", "BIOES", "BILOU", "IOB1" or "IOB2".

    IOB1 writes B- only between two entities of one type that touch. A column is taken for it where some entity begins
    with I- and no B- stands anywhere else.
    """
    prefixes: set[str] = set()
    begins_with_i = begins_with_b = False
    for tags in column:
        previous = "O"
        for tag in tags:
            prefixes.add(tag[0])
            touches = tag[1:] == previous[1:]
            begins_with_i |= tag[0] == "I" and not touches
            begins_with_b |= tag[0] == "B" and not touches
            previous = tag
    if "M" in prefixes:
        return "BMES"
    if prefixes & {"L", "U"}:
        return "BILOU"
    if prefixes & {"E", "S"}:
        return "BIOES"
    return "IOB1" if begins_with_i and not begins_with_b else "IOB2"


def decode_tags(tags: Sequence[str], scheme: str) -> tuple[list[Span], list[tuple[str, int]]]:
    """The spans of one sentence in one column, and what was odd: (kind, token index).

    Nothing is thrown away: a tag that goes on with an entity that is not open (an orphan) begins one, as in conlleval,
    and an entity that BIOES, BMES or BILOU leave open ends where it stops.
    """
    spans: list[Span] = []
    odd: list[tuple[str, int]] = []
    kind, start, is_open = "", 0, False
    for position, tag in enumerate([*tags, "O"]):
        prefix, tag_type = tag[0], tag[2:]
        continues = is_open and prefix in GOES_ON and tag_type == kind
        if is_open and not continues:
            spans.append((kind, start, position))
            is_open = False
            if scheme in ("BIOES", "BMES", "BILOU"):
                odd.append(("entity without its last tag", position - 1))
        if prefix in GOES_ON and not continues and scheme != "IOB1":
            odd.append((f"orphan {prefix}- tag", position))
        if prefix != "O" and not continues:
            kind, start, is_open = tag_type, position, True
        if prefix in ENDS:
            spans.append((kind, start, position + 1))
            is_open = False
    return spans, odd
