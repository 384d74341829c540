"""Schemes of tags: each detected, decoded, and spans that come back from them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpkl_lib.corpora.conll import parse_conll
from gpkl_lib.corpora.corpus import Oddities
from gpkl_lib.corpora.tags import decode_tags, detect_scheme
from gpkl_lib.spans import Span

SCHEMES = {
    "IOB2": "B-a I-a B-a O B-b",
    "IOB1": "I-a I-a B-a O I-b",
    "BIOES": "B-a E-a S-a O S-b",
    "BMES": "B-a E-a S-a O B-b M-b E-b",
    "BILOU": "B-a L-a U-a O U-b",
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_scheme_is_detected_and_decoded_without_oddities(scheme: str):
    tags = SCHEMES[scheme].split()
    assert detect_scheme([tags]) == scheme
    assert decode_tags(tags, scheme) == ([("a", 0, 2), ("a", 2, 3), ("b", 4, len(tags))], [])


def encode(spans: list[Span], length: int, scheme: str) -> list[str]:
    """Flat spans as tags, written apart from the library."""
    first, inner, last, single = {
        "IOB2": "BIIB", "IOB1": "IIII", "BIOES": "BIES", "BMES": "BMES", "BILOU": "BILU",
    }[scheme]  # fmt: skip
    tags = ["O"] * length
    for kind, start, end in spans:
        for position in range(start, end):
            prefix = first if position == start else last if position == end - 1 else inner
            tags[position] = f"{single if end - start == 1 else prefix}-{kind}"
    if scheme == "IOB1":
        for kind, start, _ in spans:
            if any(before[0] == kind and before[2] == start for before in spans):
                tags[start] = f"B-{kind}"
    return tags


@st.composite
def flat_spans(draw) -> tuple[list[Span], int]:
    spans, position = [], 0
    for gap, width, kind in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from(["a", "b-c"])), max_size=6)
    ):
        spans.append((kind, position + gap, position + gap + width))
        position += gap + width
    return spans, position + draw(st.integers(0, 2))


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(deadline=None)
@given(flat_spans())
def test_flat_spans_come_back_from_tags(scheme: str, case: tuple[list[Span], int]):
    spans, length = case
    assert decode_tags(encode(spans, length, scheme), scheme) == (spans, [])


@settings(deadline=None)
@given(flat_spans(), flat_spans())
def test_nested_spans_come_back_through_layers(outer: tuple[list[Span], int], inner: tuple[list[Span], int]):
    length = max(outer[1], inner[1], 1)
    columns = [encode(spans, length, "BIOES") for spans in (outer[0], inner[0])]
    text = "".join(f"t\t{a}\t{b}\n" for a, b in zip(*columns, strict=True))
    (sentence,), _ = parse_conll(text.split("\n"), "x", Oddities())
    assert set(sentence.spans) == {*outer[0], *inner[0]}
