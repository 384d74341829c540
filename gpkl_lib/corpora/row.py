"""A row of a file on its way to a sentence: tokens, or a text, and the spans over them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace

from gpkl_lib.corpora.text import token_places
from gpkl_lib.spans import Span


@dataclass
class Row:
    """One sentence as a file has it.

    Attributes:
        tokens: strings, which the spans count; None where they count the characters of `text`.
        text: the characters, where the file has them.
        places: [start, end) of each token in `text`, where both are there.
        spans: (type, start, end), `end` exclusive.
        tags: a tag a token in place of spans; they are decoded when the scheme of the whole file is known.
        line: where the row begins, from 1.
        form: how the row was understood, in words.
        odd: kinds of irregularities of this row.

    Example:
        >>> row = Row(text="Anna works", places=[(0, 4), (5, 10)], tokens=["Anna", "works"], spans=[("PER", 0, 1)])
        >>> row.text[slice(*row.places[0])]
        'Anna'
    """

    tokens: list[str] | None = None
    text: str | None = None
    places: list[tuple[int, int]] | None = None
    spans: list[Span] = field(default_factory=list)
    tags: list[str] | None = None
    line: int = 0
    form: str = ""
    odd: list[str] = field(default_factory=list)

    def tokenised(self, kind: str, *, blank: bool = True) -> Row:
        """The row with tokens, of a text its "words" or "characters"; a span that cuts a word is widened to it.

        White space is a character among others, so that spans stay where they are; without `blank` it is left out.
        """
        if self.tokens is not None:
            return self
        text = self.text or ""
        if kind == "characters":
            places = [place for place in token_places(text, kind) if blank or not text[place[0]].isspace()]
            return replace(self, tokens=[text[start] for start, _ in places], places=places)
        places = token_places(text, kind)
        starts, ends = [start for start, _ in places], [end for _, end in places]
        spans, odd = [], list(self.odd)
        for name, start, end in self.spans:
            first, last = bisect_right(ends, start), bisect_left(starts, end)
            if first == last:
                odd.append("span of white space only, left out")
                continue
            if text[start:end].strip() != text[starts[first] : ends[last - 1]]:
                odd.append("span that cuts a word, widened to it")
            spans.append((name, first, last))
        return replace(self, tokens=[text[start:end] for start, end in places], places=places, spans=spans, odd=odd)

    def with_places(self) -> Row:
        """The row with tokens and a text in which each has its place, by spaces where the file has no text."""
        if self.places is not None:
            return self
        tokens, places, at = self.tokens or [], [], 0
        for token in tokens:
            places.append((at, at + len(token)))
            at += len(token) + 1
        return replace(self, text=" ".join(tokens), places=places)

    def as_text(self) -> Row:
        """The row with a text; its spans count characters."""
        if self.tokens is None:
            return self
        whole = self.with_places()
        places = whole.places or []
        spans = [(name, places[start][0], places[end - 1][1]) for name, start, end in self.spans]
        return Row(text=whole.text, spans=spans, line=self.line, form=self.form)
