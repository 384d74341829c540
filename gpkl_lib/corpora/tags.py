"""Tags as spans: IOB1, IOB2 (BIO), IOE1, IOE2, BIOES, BMES and BILOU, told apart by what a column holds."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence

from gpkl_lib.spans import Span

TAG = re.compile(r"O|[BIMESLU]-.+")  # the type begins after the first hyphen, and may hold more of them
SUFFIX = re.compile(r"(.+)-([BIMESLU])")  # PER-B
SEVERAL = re.compile(r"[,|]([BIMESLU]-|O$)")  # B-person,B-group: the labels of several annotators in one tag
BROKEN = re.compile(r"[\x00-\x1f\x7f-\x9f]|\s(O$|[BIMESLU]-)")  # a line end that was lost
GOES_ON, ENDS, BEGINS = "IMEL", "ESLU", "BSU"
CLOSED = ("BIOES", "BMES", "BILOU", "IOE2")  # schemes that mark the last token of every entity
UNOPENED = ("IOB1", "IOE1", "IOE2")  # schemes in which an entity may begin with I- or E-


@functools.lru_cache(maxsize=1 << 16)
def is_tag(text: str) -> bool:
    """Whether `text` is O or a prefix, a hyphen and a type."""
    return TAG.fullmatch(text) is not None and SEVERAL.search(text) is None and BROKEN.search(text) is None


def prefixed(text: str) -> str:
    """A tag with its letter behind the type, PER-B, as B-PER; any other text as it is."""
    match = SUFFIX.fullmatch(text)
    return f"{match[2]}-{match[1]}" if match else text


def detect_scheme(column: Iterable[Sequence[str]]) -> str:
    """The scheme of a column of valid tags, given by sentence: BMES, BIOES, BILOU, IOE1, IOE2, IOB1 or IOB2.

    IOB1 writes B- only between two entities of one type that touch. A column is taken for it where some entity begins
    with I- and no B- stands anywhere else. IOE1 and IOE2 have E- and never B-: IOE2 at the end of every entity.

    Example:
        >>> detect_scheme([["B-PER", "I-PER", "O"]]), detect_scheme([["S-PER", "O"]])
        ('IOB2', 'BIOES')
    """
    prefixes: set[str] = set()
    begins_with_i = begins_with_b = ends_with_i = False
    for tags in column:
        previous = "O"
        for tag in tags:
            if tag != previous:
                prefixes.add(tag[0])
                touches = tag[1:] == previous[1:]
                begins_with_i |= tag[0] == "I" and not touches
                begins_with_b |= tag[0] == "B" and not touches
                ends_with_i |= previous[0] == "I" and not touches
                previous = tag
        ends_with_i |= previous[0] == "I"
    if "M" in prefixes:
        return "BMES"
    if prefixes & {"L", "U"}:
        return "BILOU"
    if "E" in prefixes and not prefixes & {"B", "S"}:
        return "IOE1" if ends_with_i else "IOE2"
    if prefixes & {"E", "S"}:
        return "BIOES"
    return "IOB1" if begins_with_i and not begins_with_b else "IOB2"


def decode_tags(tags: Sequence[str], scheme: str) -> tuple[list[Span], list[tuple[str, int]]]:
    """The spans of one sentence in one column, and what was odd: (kind, token index).

    Nothing is thrown away: a tag that goes on with an entity that is not open (an orphan) begins one, as in conlleval,
    and an entity that BIOES, BMES or BILOU leave open ends where it stops.

    Example:
        >>> decode_tags(["B-PER", "I-PER", "O", "I-LOC"], "IOB2")
        ([('PER', 0, 2), ('LOC', 3, 4)], [('orphan I- tag', 3)])
    """
    spans: list[Span] = []
    odd: list[tuple[str, int]] = []
    kind, start, is_open = "", 0, False
    for position, tag in enumerate([*tags, "O"]):
        if tag == "O" and not is_open:
            continue
        prefix, tag_type = tag[0], tag[2:]
        continues = is_open and prefix in GOES_ON and tag_type == kind
        if is_open and not continues:
            spans.append((kind, start, position))
            is_open = False
            if scheme in CLOSED:
                odd.append(("entity without its last tag", position - 1))
        if prefix in GOES_ON and not continues and scheme not in UNOPENED:
            odd.append((f"orphan {prefix}- tag", position))
        if prefix != "O" and not continues:
            kind, start, is_open = tag_type, position, True
        if prefix in ENDS:
            spans.append((kind, start, position + 1))
            is_open = False
    return spans, odd


def encode_tags(spans: Iterable[Span], length: int) -> list[list[str]]:
    """Spans as IOB2 tags, in as many layers as overlapping ones need; at least one."""
    layers: list[list[str]] = [["O"] * length]
    for kind, start, end in sorted(spans, key=lambda span: (span[1], -span[2], span[0])):
        layer = next((layer for layer in layers if set(layer[start:end]) == {"O"}), None)
        if layer is None:
            layers.append(layer := ["O"] * length)
        layer[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    return layers
