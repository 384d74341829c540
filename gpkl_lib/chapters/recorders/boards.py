"""Span boards: train one tagger and record every score that it gives to a few sentences, with where they came from.

`gpkl_lib.explore.recorded` reads the record, the explorables draw it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from gpkl_lib._storage import Row
from gpkl_lib.chapters.recorders.recorder import Entry
from gpkl_lib.corpora import Corpus, Sentence
from gpkl_lib.experiments import Trial, run_trial
from gpkl_lib.tagger import Tagger

DIGITS = 2  # of a score after the point; one nearer to 0 keeps two digits that are not 0, and with them its sign
KEPT = (
    *("corpus", "model", "config", "sources", "test", "parameters"),
    *("best_epoch", "steps", "seconds", "cpu_seconds"),
)


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


def board_rows(
    trial: Trial, sentences: Sequence[int], types: Sequence[str] | None = None, dropout_seed: int = 0
) -> Iterator[Entry]:
    """One row: train, then a board for each of the `sentences`.

    Args:
        trial: what is trained.
        sentences: places in the test part, from 0.
        types: that the boards keep; all of them where None.
        dropout_seed: of the two views.

    Raises:
        ValueError: no test part, a place outside it; when the row is made, as `board` says.
    """
    test = trial.task.test
    if test is None or not all(0 <= place < len(test) for place in sentences):
        raise ValueError(f"sentences must be places in the test part, from 0, got {list(sentences)}")
    kept = list(types or trial.task.types)
    own = {"sentences": list(sentences), "types": kept, "dropout_seed": dropout_seed}
    yield Entry({**trial.settings(), **own}, partial(_made, trial, test, sentences, kept, dropout_seed))


def _made(trial: Trial, test: Corpus, sentences: Sequence[int], types: list[str], seed: int) -> Row:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "run")
        row = run_trial(trial, folder)
        tagger = Tagger.load(folder)
    return {
        **{name: row[name] for name in KEPT},
        "types": types,
        "dropout_seed": seed,
        "boards": [{"sentence": place, **board(tagger, test[place], types, seed=seed)} for place in sentences],
    }
