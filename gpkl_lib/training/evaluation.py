"""What a tagger scores on sentences whose spans are known: for who asks, and after every epoch of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from gpkl_lib._checks import check_kind
from gpkl_lib.corpora import Batch, Corpus, Sentence, batches
from gpkl_lib.span_loss import TILED_FROM
from gpkl_lib.spans import SpanScores, decode_projection, span_scores
from gpkl_lib.tagger import Tagger
from gpkl_lib.tiled import tiled_span_loss
from gpkl_lib.training.methods.two_views import cross_entropy
from gpkl_lib.training.process import Process

BATCH = 32  # sentences


class DevScores(NamedTuple):
    """What an epoch is judged by.

    Attributes:
        spans: precision, recall and F1 on dev.
        loss: the cross-entropy there, a mean over sentences and types like a step's `task`; None if it is not finite.
    """

    spans: SpanScores
    loss: float | None


def evaluate(tagger: Tagger, corpus: Corpus | Sequence[Sentence], batch_size: int = BATCH) -> SpanScores:
    """Exact precision, recall and F1 of the tagger on a corpus; see `span_scores`.

    Example:
        >>> from gpkl_lib.corpora import toy_corpus
        >>> corpus = toy_corpus(16)
        >>> tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16)
        >>> evaluate(tagger, corpus).gold == sum(len(sentence.spans) for sentence in corpus)
        True
    """
    sentences = list(corpus)
    for number, sentence in enumerate(sentences):
        check_kind(f"corpus[{number}]", sentence, Sentence, "and a corpus what read_corpus gives")
    return span_scores(tagger.predict(sentences, batch_size=batch_size), [sentence.spans for sentence in sentences])


def evaluate_together(tagger: Tagger, dev: Corpus, process: Process) -> DevScores:
    """`evaluate`, and the cross-entropy of the same queries and keys: the same scores in every process.

    Each process takes its share of the sentences; counts and losses are added up. A span of a type that the tagger does
    not know counts as missed, and has no loss.
    """
    share = sorted(dev.sentences[process.rank :: process.count], key=len)
    own, loss = _evaluated(tagger, share)
    names = sorted({*tagger.types, *dev.types})
    found = [own.by_type.get(name, SpanScores()) for name in names]
    counts = process.sum(torch.tensor([[s.correct, s.predicted, s.gold] for s in found]))
    by_type = {name: SpanScores(*row) for name, row in zip(names, counts.tolist(), strict=True)}
    correct, predicted, gold = counts.sum(0).tolist()
    (mean,) = process.mean([torch.tensor(loss * process.count / len(dev), device=process.device)])
    return DevScores(SpanScores(correct, predicted, gold, by_type), mean if math.isfinite(mean) else None)


def _evaluated(tagger: Tagger, sentences: Sequence[Sentence]) -> tuple[SpanScores, float]:
    """Scores, and the sum of the sentences' losses."""
    loss, predicted = 0.0, []
    with tagger.unchanging():
        for group in batches(sentences, BATCH, shuffle=False):
            batch = tagger.collate([_known(sentence, tagger.types) for sentence in group]).to(tagger.device)
            query, key = tagger.project(batch)
            loss += float(_loss(query, key, batch)) * len(group)
            limit, mask = tagger.max_span_length, batch.attention_mask
            predicted += decode_projection(query, key, tagger.types, mask, max_length=limit)
    return span_scores(predicted, [sentence.spans for sentence in sentences]), loss


def _loss(query: Tensor, key: Tensor, batch: Batch) -> Tensor:
    """The cross-entropy of the gold spans, in tiles where that is faster."""
    if batch.attention_mask.shape[1] >= TILED_FROM:
        return tiled_span_loss(query, key, batch.positives, attention_mask=batch.attention_mask).task
    return cross_entropy(torch.matmul(query, key.mT), batch)


def _known(sentence: Sentence, types: Sequence[str]) -> Sentence:
    """The sentence without spans of other types."""
    if all(kind in types for kind, _, _ in sentence.spans):
        return sentence
    return replace(sentence, spans=tuple(span for span in sentence.spans if span[0] in types))
