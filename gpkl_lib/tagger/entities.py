"""Spans as a reader of the text has them: what they say, where their characters are, how sure the tagger is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any

from gpkl_lib.corpora import Row, Sentence, token_kind
from gpkl_lib.spans import Span

Input = str | Sequence[str] | Sentence
"""A text, a list of tokens, or a sentence, whose own spans are not looked at."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A span that was found in a text.

    Attributes:
        type: its name.
        text: what it says: `text[start_char:end_char]` of the original.
        start_char, end_char: of its characters (code points), end exclusive.
        start_token, end_token: of its tokens, end exclusive.
        score: its logit; found is what scores above the threshold.
        probability: that it is a gold span, by `Tagger.calibrate`; None where it was not asked for.

    >>> Entity("person", "Anna", 0, 4, 0, 1, 2.5).span
    ('person', 0, 1)
    """

    type: str
    text: str
    start_char: int
    end_char: int
    start_token: int
    end_token: int
    score: float
    probability: float | None = None

    @property
    def span(self) -> Span:
        """(type, start, end) over the tokens, as `span_scores` and `Sentence` take it."""
        return self.type, self.start_token, self.end_token

    def record(self) -> dict[str, Any]:
        """Its attributes as JSON values, six digits of score and probability.

        >>> Entity("person", "Anna", 0, 4, 0, 1, 2.5).record()["end_char"]
        4
        """
        found = {name: value for name, value in asdict(self).items() if value is not None}
        return found | {name: float(f"{found[name]:.6g}") for name in ("score", "probability") if name in found}


@dataclass(frozen=True, slots=True)
class Prediction:
    """A text with what was found in it.

    Attributes:
        text: the original; where tokens were given, these with a space between them.
        tokens: what the tagger read.
        places: [start, end) of each token in the text.
        entities: sorted by start, then end, then type.

    Example:
        >>> anna = Entity("PER", "Anna", 0, 4, 0, 1, score=2.5)
        >>> found = Prediction("Anna works", ["Anna", "works"], [(0, 4), (5, 10)], [anna])
        >>> [found.text[entity.start_char : entity.end_char] for entity in found.entities]
        ['Anna']
    """

    text: str
    tokens: list[str]
    places: list[tuple[int, int]]
    entities: list[Entity]

    @property
    def sentence(self) -> Sentence:
        """Tokens and spans, as training and scoring take them."""
        return Sentence(tuple(self.tokens), tuple(entity.span for entity in self.entities))


def as_row(given: Input | Row, tokens: str) -> Row:
    """What was given, with tokens: those of a text are its "words" or "characters", by "auto" as its letters are.

    Raises:
        TypeError: something else than a text, tokens or a sentence.
    """
    if isinstance(given, str):
        return Row(text=given).tokenised(token_kind([given], tokens), blank=False)
    if isinstance(given, Row):
        return given
    if isinstance(given, Sentence):
        return Row(tokens=list(given.tokens))
    if isinstance(given, list | tuple) and all(isinstance(token, str) for token in given):
        return Row(tokens=list(given))
    raise TypeError(f"a text is a string, a list of strings (its tokens) or a Sentence, got {given!r:.80}")


def as_rows(given: Iterable[Input | Row], tokens: str) -> Iterator[Row]:
    """`as_row` of each; the error says which one it is.

    Raises:
        TypeError: no iterable of texts, a single one among them (at once); or one of other things (when it comes).
    """
    unordered = isinstance(given, Set | Mapping)  # whose answer would be whose?
    if unordered or isinstance(given, str | bytes | Sentence) or not isinstance(given, Iterable):
        raise TypeError(f"texts must be an iterable of texts, a list [text] where there is one, got {given!r:.80}")
    return _rows(given, tokens)


def _rows(given: Iterable[Input | Row], tokens: str) -> Iterator[Row]:
    for number, one in enumerate(given):
        try:
            yield as_row(one, tokens)
        except TypeError as error:
            raise TypeError(f"texts[{number}]: {error}") from None


def as_prediction(row: Row, scores: dict[Span, float], probability: Any = None) -> Prediction:
    """A row with what was found in it; `probability` maps a score to one, where it is wanted."""
    whole = row.with_places()
    text, places = whole.text or "", whole.places or []
    entities = []
    for (kind, start, end), score in scores.items():
        first, last = places[start][0], places[end - 1][1]
        sure = None if probability is None else probability(score)
        entities.append(Entity(kind, text[first:last], first, last, start, end, score, sure))
    return Prediction(text, list(row.tokens or ()), places, entities)
