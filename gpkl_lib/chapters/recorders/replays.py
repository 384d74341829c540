"""Training, replayed: train one tagger a method and record what stood after every epoch, and where it came from.

    python -m gpkl_lib.chapters.recorders.replays --sentence 155 --methods none sigmoid --output FILE --epochs 15

The arguments that are not its own are those of `gpkl train`. `gpkl_lib.explore.recorded` reads the record, the
explorable `TrainingReplayed` draws it.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gpkl_lib._storage import Row, append_row, read_rows
from gpkl_lib.cli import build_parser, task_of
from gpkl_lib.corpora import Corpus, Sentence, batches
from gpkl_lib.experiments import ModelConfig, Trial, identity, provenance
from gpkl_lib.global_pointer import span_mask
from gpkl_lib.spans import Span
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import METHODS, TrainingConfig, fit

BINS, LEAST = (
    10,
    0.05,
)  # of sigma(s), over the candidates that are given at least LEAST: the others are thousands to one


NAME = "gpkl_lib.chapters.recorders.replays"


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
    training, scores, gold = tagger.training, [], []
    tagger.eval()
    for group in batches(corpus.sentences, 32, shuffle=False):
        batch = tagger.collate(group).to(tagger.device)
        with torch.no_grad():
            logits = tagger(batch)
        true = torch.zeros_like(logits, dtype=torch.bool)
        true[batch.positives.unbind(1)] = True
        valid = span_mask(batch.attention_mask).expand_as(logits)
        scores.append(logits[valid].cpu())
        gold.append(true[valid].cpu())
    tagger.train(training)
    return torch.cat(scores), torch.cat(gold)


class _Watched(Tagger):
    """A tagger that notes, each time `fit` has it predict dev at the end of an epoch, what it holds then."""

    def watch(self, dev: Corpus, sentence: Sentence) -> list[Row]:
        """Note from now on; returns the list that grows."""
        self.dev, self.sentence, self.notes = dev, sentence, list[Row]()
        return self.notes

    def predict(self, sentences: Sequence[Sentence], **settings: Any) -> list[list[Span]]:
        found = super().predict(sentences, **settings)
        with torch.no_grad():
            scores = self.eval()(self.collate([self.sentence]).to(self.device))[0].cpu()
        rows, columns = torch.triu_indices(len(self.sentence), len(self.sentence))
        bins = [(count, round(mean, 4), hits) for count, mean, hits in reliability(*candidates(self, self.dev))]
        cells = [" ".join(map(_short, one)) for one in scores[:, rows, columns].tolist()]
        self.notes.append({"scores": cells, "bins": bins})
        return found


def _short(score: float) -> str:
    """Two significant digits, which keep the sign."""
    return f"{float(f'{score:.1e}'):g}"


def record(trial: Trial, place: int) -> Row:
    """Train, noting after each epoch the scores of dev's sentence `place` (from 0) and the calibration on all of dev.

    Raises:
        ValueError: a place outside dev, an encoder that is not from scratch.
    """
    task, model, config = trial.task, trial.model, trial.config
    if not 0 <= place < len(task.dev):
        raise ValueError(f"sentence must be a place in the dev part, from 0 to {len(task.dev) - 1}, got {place}")
    if model.encoder != "scratch":
        raise ValueError(f"encoder must be scratch for a replay, got {model.encoder!r}")
    sizes: dict[str, Any] = {"hidden_size": model.hidden_size, "dropout": model.dropout}
    tagger = _Watched.from_scratch(task.train.sentences, task.types, head=model.head, seed=config.seed, **sizes)
    assert isinstance(tagger, _Watched)
    sentence = task.dev[place]
    notes = tagger.watch(task.dev, sentence)
    history = fit(tagger, task.train, task.dev, config=config, progress=False)
    epochs = [_numbers(row) | note for row, note in zip(history.rows, notes, strict=True)]
    return {
        "key": _key(trial, place),
        **trial.settings(),
        "sources": {part: corpus.name for part, corpus in task.parts().items()},
        "parameters": sum(parameter.numel() for parameter in tagger.parameters()),
        "types": list(tagger.types),
        "sentence": place,
        "tokens": list(sentence.tokens),
        "gold": [list(span) for span in sentence.spans],
        "epochs": epochs,
        "provenance": provenance(tagger.device),
    }


def _numbers(row: Row) -> Row:
    """Cross-entropy, what the divergence adds to it (alpha/4 D), and F1 on dev."""
    found = {"task": row["task"], "term": row["loss"] - row["task"], "f1": row["f1"]}
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def _key(trial: Trial, place: int) -> str:
    return identity({**trial.settings(), "replayed": place})


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; a row that --output has already is not made again."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        "python -m gpkl_lib.chapters.recorders.replays", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--sentence", type=int, required=True, metavar="N", help="place in dev, from 0")
    parser.add_argument("--methods", nargs="+", choices=METHODS, required=True, metavar="M", help="one run each")
    parser.add_argument("--output", required=True, metavar="FILE", help="JSONL, appended to")
    own, rest = parser.parse_known_args(words)
    arguments = build_parser().parse_args(["train", *rest])
    names = [name for name in vars(TrainingConfig()) if hasattr(arguments, name)]
    base = TrainingConfig(**{name: getattr(arguments, name) for name in names})
    model = ModelConfig(arguments.encoder, arguments.head, arguments.hidden_size, arguments.dropout)
    task, output = task_of(arguments), Path(own.output)
    there = {row["key"] for row in read_rows(output)} if output.exists() else set()
    torch.set_num_threads(1)
    for method in own.methods:
        config = replace(base, method=method)
        trial = Trial(task, model, config if method != "none" else replace(config, alpha=0.0, alpha_warmup=0.0))
        if _key(trial, own.sentence) in there:
            print(f"{output}: the replay of {trial} is there already", file=sys.stderr)
            continue
        row = record(trial, own.sentence)
        row["provenance"]["command"] = shlex.join(["python", "-m", NAME, *words])
        append_row(output, row)
        print(
            f"{output}: {len(row['epochs'])} epochs of {trial}, dev F1 {row['epochs'][-1]['f1']:.4f}", file=sys.stderr
        )


if __name__ == "__main__":
    main()
