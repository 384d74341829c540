"""Span boards: train one tagger and record every score that it gives to a few sentences, with where they came from.

    python -m gpkl_lib.chapters.recorders.boards --sentences 342 49 --output boards.jsonl --corpus toy --epochs 15

The arguments that are not its own are those of `gpkl train`. `gpkl_lib.explore.recorded` reads the record, the
explorables draw it.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from gpkl_lib._storage import Row, append_row, read_rows
from gpkl_lib.cli import build_parser, task_of
from gpkl_lib.corpora import Sentence
from gpkl_lib.experiments import ModelConfig, Trial, identity, run_trial
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import BEST, TrainingConfig

DIGITS = 2  # of a score after the point; one nearer to 0 keeps two digits that are not 0, and with them its sign
KEPT = ("corpus", "model", "config", "sources", "test", "best_epoch", "steps", "seconds", "cpu_seconds", "provenance")


NAME = "gpkl_lib.chapters.recorders.boards"


def board(tagger: Tagger, sentence: Sentence, types: Sequence[str], *, seed: int = 0) -> Row:
    """Every score of one sentence, rounded: without dropout, and in two dropout views that one forward pass gives.

    Args:
        tagger: trained.
        sentence: L tokens with their gold spans.
        types: H of the tagger's, those that the board keeps.
        seed: of the dropout.

    Returns:
        JSON: "tokens"; "gold" as [type, start, end], end exclusive; "scores" (H, L(L+1)/2), the rows of the upper
        triangle one after another, the diagonal included; "views", two of the same form.

    Raises:
        ValueError: a type that the tagger lacks; one that the board leaves out although a gold span or a decision has
            it.
    """
    unknown = sorted({*types} - {*tagger.types})
    if unknown:
        raise ValueError(f"types must be among {', '.join(tagger.types)}, got {', '.join(unknown)}")
    batch = tagger.collate([sentence, sentence], labels=False).to(tagger.device)
    training = tagger.training
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        views = tagger.train()(batch)
        scores = tagger.eval()(batch)[0]
    tagger.train(training)
    triangle = torch.ones(len(sentence), len(sentence)).triu().bool()
    cells = torch.stack([scores, *views])[..., triangle.to(scores.device)].double().cpu()  # (3, all types, L(L+1)/2)
    used = {t for t, above in zip(tagger.types, (cells > 0).flatten(2).any(-1).any(0), strict=True) if above}
    used |= {span[0] for span in sentence.spans}
    if left_out := sorted(used - {*types}):
        raise ValueError(f"{' '.join(sentence.tokens)!r} has spans of {', '.join(left_out)}, which types leaves out")
    cells = cells[:, [tagger.types.index(t) for t in types]]
    plain, *both = (_rounded(one) for one in cells)
    return {"tokens": list(sentence.tokens), "gold": [list(s) for s in sentence.spans], "scores": plain, "views": both}


def _rounded(cells: Tensor) -> list[list[float]]:
    """(H, N) as lists of short decimals that decide as the scores do."""
    near = 10.0**-DIGITS
    return [[round(x, DIGITS) if abs(x) >= near else float(f"{x:.1e}") for x in row] for row in cells.tolist()]


def record(trial: Trial, sentences: Sequence[int], types: Sequence[str], *, seed: int = 0) -> Row:
    """Train, then a board for each of the `sentences`, which are places in the test part, from 0.

    Raises:
        ValueError: no test part, a place outside it, or as `board` says.
    """
    test = trial.task.test
    if test is None or not all(0 <= place < len(test) for place in sentences):
        raise ValueError(f"sentences must be places in the test part, from 0, got {list(sentences)}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "run")
        row = run_trial(trial, folder)
        tagger = Tagger.load(folder / BEST)
    boards = [{"sentence": place, **board(tagger, test[place], types, seed=seed)} for place in sentences]
    return {
        "key": _key(trial, sentences, types, seed),
        **{name: row[name] for name in KEPT},
        "parameters": sum(parameter.numel() for parameter in tagger.parameters()),
        "types": list(types),
        "dropout_seed": seed,
        "boards": boards,
    }


def _key(trial: Trial, sentences: Sequence[int], types: Sequence[str], seed: int) -> str:
    return identity({**trial.settings(), "sentences": list(sentences), "types": list(types), "dropout_seed": seed})


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; a record that --output has already is not made again."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        "python -m gpkl_lib.chapters.recorders.boards", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--sentences", nargs="+", type=int, required=True, metavar="N", help="places in test, from 0")
    parser.add_argument("--types", nargs="+", metavar="T", help="types to keep; all of them where not given")
    parser.add_argument("--dropout-seed", type=int, default=0, metavar="N", help="of the two views")
    parser.add_argument("--output", required=True, metavar="FILE", help="JSONL, appended to")
    own, rest = parser.parse_known_args(words)
    arguments = build_parser().parse_args(["train", *rest])
    names = [name for name in vars(TrainingConfig()) if hasattr(arguments, name)]
    config = TrainingConfig(**{name: getattr(arguments, name) for name in names})
    model = ModelConfig(arguments.encoder, arguments.head, arguments.hidden_size, arguments.dropout)
    trial, output = Trial(task_of(arguments), model, config), Path(own.output)
    types = own.types or list(trial.task.types)
    if output.exists() and _key(trial, own.sentences, types, own.dropout_seed) in {r["key"] for r in read_rows(output)}:
        print(f"{output}: the boards of {trial} are there already", file=sys.stderr)
        return
    torch.set_num_threads(1)
    row = record(trial, own.sentences, types, seed=own.dropout_seed)
    row["provenance"]["command"] = shlex.join(["python", "-m", NAME, *words])
    append_row(output, row)
    print(f"{output}: {len(row['boards'])} boards of {trial}, test F1 {row['test']['f1']:.4f}", file=sys.stderr)


if __name__ == "__main__":
    main()
