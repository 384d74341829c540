"""What a tagger is asked: the spans of texts, and how far to trust them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, overload

import torch
from torch import Tensor, nn

from gpkl_lib._checks import check_count, check_threshold
from gpkl_lib.corpora import TOKENS, Batch, Corpus, Row, Sentence, Tokens, batches
from gpkl_lib.spans import Span, score_projection
from gpkl_lib.tagger.calibration import FLOOR, Calibration, Threshold, choose_threshold, fit_calibration
from gpkl_lib.tagger.entities import Entity, Input, Prediction, as_prediction, as_row, as_rows
from gpkl_lib.tagger.pretrained import PretrainedEncoder
from gpkl_lib.tagger.word_encoder import WordEncoder

POOL = 16
"""Batches that a stream reads ahead, to put texts of one length together."""


class Predictor(nn.Module):
    """The part of a `Tagger` that predicts; it needs `collate`, `project` and an encoder with a `survey`.

    Attributes:
        types: H names of span types.
        max_span_length: tokens of the longest span that is found; None for any.
        threshold: spans scored above it are found, where a call gives no other; 0 unless `tune_threshold` chose.
        chosen: what `tune_threshold` chose; None where it has not.
        calibration: what `calibrate` fitted; None where it has not.
    """

    encoder: WordEncoder | PretrainedEncoder
    types: tuple[str, ...]
    max_span_length: int | None = None
    chosen: Threshold | None = None
    calibration: Calibration | None = None

    @property
    def threshold(self) -> float:
        """Spans scored above it are found, where a call gives no other."""
        return self.chosen.value if self.chosen else 0.0

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def collate(self, sentences: Sequence[Sentence], *, labels: bool = True) -> Batch:
        """A padded batch of sentences."""
        raise NotImplementedError

    def project(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Query and key of a batch."""
        raise NotImplementedError

    @overload
    def predict(  # type: ignore[overload-overlap]  # a string is an iterable of strings, and meant as one text
        self, texts: str | Sentence, *, batch_size: int = 32, threshold: float | None = None, tokens: Tokens = "auto",
        warn: bool = True,
    ) -> list[Span]: ...  # fmt: skip

    @overload
    def predict(
        self, texts: Iterable[Input], *, batch_size: int = 32, threshold: float | None = None, tokens: Tokens = "auto",
        warn: bool = True,
    ) -> list[list[Span]]: ...  # fmt: skip

    def predict(
        self,
        texts: str | Sentence | Iterable[Input],
        *,
        batch_size: int = 32,
        threshold: float | None = None,
        tokens: Tokens = "auto",
        warn: bool = True,
    ) -> list[Span] | list[list[Span]]:
        """The spans of each text as (type, start, end) over its tokens, as training and scoring have them.

        None is longer than `max_span_length`, and there is no dropout. `entities` tells what the spans say, where their
        characters are and how they scored; `stream` reads from any iterable and answers a text at a time.

        Args:
            texts: strings, lists of tokens or sentences, whose own spans are not looked at. A single string or sentence
                is one text, a list of strings is several.
            batch_size: texts at a time, those of like length together; makes no difference to the result.
            threshold: spans scored above it are found; None for the tagger's own, which is 0 unless it was tuned.
            tokens: of a string: its "words", its "characters", or by "auto" characters where most of its letters are
                Han or Kana.
            warn: say in a UserWarning what the encoder could not be shown as it stands.

        Returns:
            A list of spans a text, sorted by start, then end, then type; for a single text its list alone.

        Raises:
            TypeError: a text that is none; the message has its number. A batch_size or threshold that is no number.
            ValueError: batch_size below 1, a threshold that is NaN, unknown `tokens`.

        >>> from gpkl_lib.corpora import toy_corpus
        >>> from gpkl_lib.tagger import Tagger
        >>> corpus = toy_corpus(20)
        >>> tagger = Tagger.from_scratch(corpus.sentences, corpus.types)
        >>> len(tagger.predict(["Anna works.", ["Berlin", "is", "large"], corpus[0]]))
        3
        >>> tagger.predict("Anna works.", threshold=1e9)
        []
        """
        check_count("batch_size", batch_size)
        one = isinstance(texts, str | Sentence)
        rows = [as_row(texts, tokens)] if isinstance(texts, str | Sentence) else list(as_rows(texts, tokens))
        scores = self._scores([_sentence(row) for row in rows], batch_size, self._above(threshold, tokens), warn=warn)
        spans = [list(found) for found in scores]
        return spans[0] if one else spans

    @overload
    def entities(  # type: ignore[overload-overlap]
        self, texts: str | Sentence, *, batch_size: int = 32, threshold: float | None = None, tokens: Tokens = "auto",
        probability: bool = False,
    ) -> list[Entity]: ...  # fmt: skip

    @overload
    def entities(
        self, texts: Iterable[Input], *, batch_size: int = 32, threshold: float | None = None, tokens: Tokens = "auto",
        probability: bool = False,
    ) -> list[list[Entity]]: ...  # fmt: skip

    def entities(
        self,
        texts: str | Sentence | Iterable[Input],
        *,
        batch_size: int = 32,
        threshold: float | None = None,
        tokens: Tokens = "auto",
        probability: bool = False,
    ) -> list[Entity] | list[list[Entity]]:
        """What `predict` finds, each span with its text, its characters and its score.

        Args:
            texts, batch_size, threshold, tokens: as `predict` takes them.
            probability: give each entity the probability that it is right, by the curve of `calibrate`.

        Returns:
            A list of `Entity` a text; for a single text its list alone. Characters are code points of the string that
            was given; of tokens joined by a space, where tokens were.

        Raises:
            ValueError: as `predict`; probability=True without a `calibrate` before.

        >>> from gpkl_lib.corpora import toy_corpus
        >>> from gpkl_lib.tagger import Tagger
        >>> corpus = toy_corpus(20)
        >>> text = "Anna  works at Berlin University."
        >>> tagger = Tagger.from_scratch(corpus.sentences, corpus.types)
        >>> all(text[e.start_char : e.end_char] == e.text for e in tagger.entities(text, threshold=-1e9))
        True
        """
        settings: dict[str, Any] = {
            "batch_size": batch_size, "threshold": threshold, "tokens": tokens, "probability": probability
        }  # fmt: skip
        if isinstance(texts, str | Sentence):
            (found,) = self.stream([texts], **settings)
            return found.entities
        return [found.entities for found in self.stream(texts, **settings)]

    def stream(
        self,
        texts: Iterable[Input | Row],
        *,
        batch_size: int = 32,
        threshold: float | None = None,
        tokens: Tokens = "auto",
        probability: bool = False,
    ) -> Iterator[Prediction]:
        """What `entities` finds, a text at a time, in their order and from any iterable, however long.

        16 batches are read ahead, so that texts of one length come together; with batch_size=1 each text is answered
        before the next is read. What the encoder could not be shown as it stands is said at the end, in a UserWarning.

        Args:
            texts, batch_size, threshold, tokens, probability: as `entities` takes them.

        Yields:
            `Prediction`: the text, its tokens, its entities.

        Raises:
            TypeError, ValueError: as `entities`, at once, but for a text that is none, which is told when it comes.

        >>> from gpkl_lib.corpora import toy_corpus
        >>> from gpkl_lib.tagger import Tagger
        >>> corpus = toy_corpus(20)
        >>> endless = (f"Anna works at desk {n}." for n in range(10**9))
        >>> found = Tagger.from_scratch(corpus.sentences, corpus.types).stream(endless)
        >>> next(found).tokens
        ['Anna', 'works', 'at', 'desk', '0', '.']
        """
        above = self._above(threshold, tokens)
        check_count("batch_size", batch_size)
        if probability and self.calibration is None:
            raise ValueError(
                "probability needs a curve fitted on labelled sentences, and this tagger has none: "
                "tagger.calibrate(dev), or gpkl evaluate MODEL DEV --calibrate"
            )
        curve = self.calibration.probability if probability and self.calibration else None
        return self._stream(as_rows(texts, tokens), batch_size, above, curve)

    def _stream(self, rows: Iterable[Row], batch_size: int, threshold: float, curve: Any) -> Iterator[Prediction]:
        rows, odd, count = iter(rows), Counter[str](), 0
        while pool := list(islice(rows, batch_size * POOL if batch_size > 1 else 1)):
            sentences = [_sentence(row) for row in pool]
            odd.update(self.encoder.survey(sentences))
            count += len(pool)
            for row, scores in zip(pool, self._scores(sentences, batch_size, threshold, warn=False), strict=True):
                yield as_prediction(row, scores, curve)
        _warn(odd, count)

    def calibrate(self, corpus: Corpus) -> Calibration:
        """Fit the curve from a score to the probability of being right, and keep it with the tagger.

        Args:
            corpus: labelled sentences that were not learnt from, dev say. That dev has chosen the epoch makes the
                probabilities a little too good.

        Returns:
            What was fitted; `save` writes it beside the weights.

        Raises:
            ValueError: too few candidates, or scores that say nothing.
        """
        scores, right, _ = self._candidates(corpus)
        self.calibration = fit_calibration(scores, right, corpus.name)
        return self.calibration

    def tune_threshold(self, corpus: Corpus) -> Threshold:
        """Choose the threshold with the highest F1 on labelled sentences, and keep it with the tagger.

        Args:
            corpus: labelled sentences that were not learnt from and that will not be reported on: dev.

        Returns:
            The choice and its F1, beside that at 0; `save` writes it beside the weights.

        Raises:
            ValueError: no gold span in the corpus.
        """
        scores, right, gold = self._candidates(corpus)
        if not gold:
            raise ValueError(f"{corpus.name} has no span, so no threshold is better than another")
        self.chosen = choose_threshold(scores, right, gold, corpus.name)
        return self.chosen

    def _candidates(self, corpus: Corpus) -> tuple[list[float], list[bool], int]:
        """The score of every span above FLOOR, whether it is a gold span, and how many gold spans there are."""
        if not isinstance(corpus, Corpus):
            raise TypeError(f"corpus must be a Corpus, as read_corpus gives it, got {type(corpus).__name__}")
        found = self._scores(corpus.sentences, 32, FLOOR, warn=False)
        pairs = [
            (score, span in truth)
            for sentence, spans in zip(corpus, found, strict=True)
            for truth in [set(sentence.spans)]
            for span, score in spans.items()
        ]
        gold = sum(len(sentence.spans) for sentence in corpus)
        return [score for score, _ in pairs], [right for _, right in pairs], gold

    def _scores(
        self, sentences: Sequence[Sentence], batch_size: int, threshold: float, *, warn: bool
    ) -> list[dict[Span, float]]:
        """Every span above the threshold with its score, sentences of like length together; without dropout."""
        if warn:
            self.warn_of_oddities(sentences, stacklevel=4)
        order = sorted(range(len(sentences)), key=lambda index: len(sentences[index]))
        places = iter(order)
        found: list[dict[Span, float]] = [{} for _ in sentences]
        with self.unchanging():
            for group in batches([sentences[index] for index in order], batch_size, shuffle=False):
                batch = self.collate(group, labels=False).to(self.device)
                query, key = self.project(batch)
                limits: dict[str, Any] = {"threshold": threshold, "max_length": self.max_span_length}
                for scores in score_projection(query, key, self.types, batch.attention_mask, **limits):
                    found[next(places)] = scores
        return found

    @contextmanager
    def unchanging(self) -> Iterator[None]:
        """No dropout and no gradients inside; afterwards the tagger's mode is as it was."""
        training = self.training
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.train(training)

    def warn_of_oddities(self, sentences: Sequence[Sentence], *, stacklevel: int = 3) -> None:
        """One UserWarning with counts, if the encoder cannot be shown some words or sentences as they stand."""
        _warn(self.encoder.survey(sentences), len(sentences), stacklevel=stacklevel + 1)

    def _above(self, threshold: float | None, tokens: Tokens) -> float:
        if tokens not in TOKENS:
            raise ValueError(f"tokens must be one of {', '.join(TOKENS)}, got {tokens!r}")
        if threshold is not None:
            check_threshold(threshold)
        return self.threshold if threshold is None else threshold


def _sentence(row: Row) -> Sentence:
    return Sentence(tuple(row.tokens or ()))


def _warn(odd: dict[str, int], count: int, stacklevel: int = 3) -> None:
    found = [f"{number:,} {what}" for what, number in odd.items() if number]
    if found:
        warnings.warn(f"of {count:,} sentences: " + "; ".join(found), stacklevel=stacklevel)
