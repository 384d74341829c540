"""Training, replayed: train one tagger a method and record what stood after every epoch, and where it came from.

`gpkl_lib.explore.recorded` reads the record, the explorable `TrainingReplayed` draws it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from gpkl_lib._storage import Row
from gpkl_lib.chapters.recorders.recorder import Entry
from gpkl_lib.corpora import Corpus, Sentence, batches
from gpkl_lib.experiments import Trial
from gpkl_lib.global_pointer import span_mask
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import History, fit

BINS = 10  # of sigma(s)
LEAST = 0.05  # the candidates that are given less are thousands to one


def reliability(scores: Tensor, gold: Tensor) -> list[tuple[int, float, int]]:
    """Ten equal bins of sigma(s) over the candidates given at least 5 %: (candidates, mean sigma, true spans) of each.

    Args:
        scores: of candidate spans, of any shape.
        gold: bool, of the same shape: which of them are true.

    Returns:
        Ten triples; the mean of an empty bin is 0.
    """
    p = scores.double().sigmoid()
    p, gold = p[p >= LEAST], gold[p >= LEAST]
    place = (p * BINS).long().clamp(max=BINS - 1)
    counts, means, true = (
        torch.zeros(BINS, dtype=torch.float64).index_add_(0, place, x) for x in (torch.ones_like(p), p, gold.double())
    )
    rows = zip(counts.tolist(), (means / counts.clamp(min=1)).tolist(), true.tolist(), strict=True)
    return [(int(count), mean, int(hits)) for count, mean, hits in rows]


def candidates(tagger: Tagger, corpus: Corpus) -> tuple[Tensor, Tensor]:
    """The scores (N,) of all spans of all types in a corpus, without dropout, and which of them are gold (N,)."""
    scores, gold = [], []
    with tagger.unchanging():
        for group in batches(corpus.sentences, 32, shuffle=False):
            batch = tagger.collate(group).to(tagger.device)
            logits = tagger(batch)
            true = torch.zeros_like(logits, dtype=torch.bool)
            true[batch.positives.unbind(1)] = True
            valid = span_mask(batch.attention_mask).expand_as(logits)
            scores.append(logits[valid].cpu())
            gold.append(true[valid].cpu())
    return torch.cat(scores), torch.cat(gold)


def note(tagger: Tagger, sentence: Sentence, dev: Corpus) -> Row:
    """What a tagger holds without dropout: its scores of one sentence, cell by cell, and its calibration on `dev`."""
    with tagger.unchanging():
        scores = tagger(tagger.collate([sentence]).to(tagger.device))[0].cpu()
    rows, columns = torch.triu_indices(len(sentence), len(sentence))
    bins = [(count, round(mean, 4), hits) for count, mean, hits in reliability(*candidates(tagger, dev))]
    return {"scores": [" ".join(map(_short, one)) for one in scores[:, rows, columns].tolist()], "bins": bins}


def _short(score: float) -> str:
    """Two significant digits, which keep the sign."""
    return f"{float(f'{score:.1e}'):g}"


def replay_rows(trial: Trial, methods: Sequence[str], sentence: int) -> Iterator[Entry]:
    """A row for each method: what stood after every epoch.

    Args:
        trial: what is trained, but for the method.
        methods: of training; "none" has no weight.
        sentence: place in the dev part, from 0, of the one whose scores are kept.

    Raises:
        ValueError: a place outside dev; a method that there is not.
    """
    if not 0 <= sentence < len(trial.task.dev):
        last = len(trial.task.dev) - 1
        raise ValueError(f"sentence must be a place in the dev part, from 0 to {last}, got {sentence}")
    for method in methods:
        config = replace(trial.config, method=method)
        one = replace(trial, config=replace(config, alpha=0.0, alpha_warmup=0.0) if method == "none" else config)
        yield Entry({**one.settings(), "replayed": sentence}, partial(_made, one, sentence))


def _made(trial: Trial, place: int) -> Row:
    task, sentence = trial.task, trial.task.dev[place]
    tagger = trial.model.build(task, trial.config.seed)
    epochs: list[Row] = []

    def look(history: History) -> None:
        epochs.append(_numbers(history.rows[-1]) | note(tagger, sentence, task.dev))

    fit(tagger, task.train, task.dev, config=trial.config, progress=False, on_epoch=look)
    return {
        **trial.settings(),
        "sources": {part: corpus.name for part, corpus in task.parts().items()},
        "parameters": tagger.num_parameters,
        "types": list(tagger.types),
        "sentence": place,
        "tokens": list(sentence.tokens),
        "gold": [list(span) for span in sentence.spans],
        "epochs": epochs,
    }


def _numbers(row: Row) -> Row:
    """Cross-entropy, what the divergence adds to it (alpha/4 D), and F1 on dev."""
    found = {"task": row["task"], "term": row["loss"] - row["task"], "f1": row["f1"]}
    return {name: float(f"{value:.4g}") for name, value in found.items()}
