"""`gpkl predict`: the spans that a tagger finds in a text, in the form that is asked for."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from gpkl_lib._storage import write_text, writing
from gpkl_lib.cli import inputs
from gpkl_lib.cli.outputs import ready
from gpkl_lib.cli.page import Mark, page, type_keys
from gpkl_lib.cli.said import UsageError, say
from gpkl_lib.corpora import Row, brat_texts, written_rows
from gpkl_lib.tagger import Entity, Prediction, Tagger

FORMS = ("jsonl", "conll", "brat", "html")
BY_NAME = {"": "jsonl", ".jsonl": "jsonl", ".json": "jsonl", ".conll": "conll"}  # of --output
BY_NAME |= {".ann": "brat", ".html": "html", ".htm": "html"}
AHEAD = 16  # batches


def predict(arguments: argparse.Namespace, words: Sequence[str]) -> None:
    """Write the spans that a tagger finds in a file: `gpkl predict`."""
    if arguments.threshold is not None and arguments.threshold != arguments.threshold:
        raise UsageError("--threshold must be a number, got nan")
    output = None if arguments.output is None else Path(arguments.output)
    form = arguments.write or BY_NAME.get(output.suffix.lower() if output else "")
    if form is None:
        known = ", ".join(filter(None, BY_NAME))
        raise UsageError(f"--output {output}: no form has that ending ({known}); name one by --write")
    if form == "brat" and output is None:
        raise UsageError("--write brat makes two files, a .txt and an .ann: give --output")
    output = output and ready(arguments.output)
    tagger = load(arguments)
    texts = inputs.texts(arguments, AHEAD * arguments.batch_size if arguments.batch_size > 1 else 1)
    say(f"{texts.name}: {texts.source}" + ("" if texts.count is None else f"; {texts.count:,} sentences"))
    try:
        found = tagger.stream(
            texts.rows,
            batch_size=arguments.batch_size,
            threshold=arguments.threshold,
            probability=arguments.probability,
        )
    except ValueError as error:
        if arguments.probability and tagger.calibration is None:
            raise UsageError(
                f"--probability: {arguments.model} has no curve from scores to probabilities; "
                f"gpkl evaluate {arguments.model} DEV --calibrate fits one on labelled sentences"
            ) from error
        raise
    if form == "brat":
        assert output
        text, annotations = brat_texts(Row(text=one.text, spans=_characters(one)) for one in found)
        write_text(output.with_suffix(".txt"), text)
        write_text(output.with_suffix(".ann"), annotations)
        return
    with _target(output) as write:
        for piece in PIECES[form](found, texts.name):
            write(piece)


def load(arguments: argparse.Namespace) -> Tagger:
    """The tagger that is named, on the device asked for."""
    if arguments.batch_size < 1:
        raise UsageError(f"--batch-size must be positive, got {arguments.batch_size}")
    tagger = Tagger.load(arguments.model)
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    device = next(name for name, there in present.items() if there) if arguments.device == "auto" else arguments.device
    if not present[device]:
        raise UsageError(f"device {device} is not there; --device auto takes what there is")
    return tagger.to(device)


def told(entity: Entity) -> str:
    """All about an entity, in a line."""
    sure = "" if entity.probability is None else f", probability {entity.probability:.3f}"
    return (
        f"{entity.type}: {entity.text} (score {entity.score:.2f}{sure}; characters {entity.start_char} to "
        f"{entity.end_char}, tokens {entity.start_token} to {entity.end_token})"
    )


def _target(output: Path | None) -> AbstractContextManager[Callable[[str], object]]:
    """Where the pieces go: a file that is there whole or not at all, or standard output, each at once."""
    if output is not None:
        return writing(output)

    def write(text: str) -> None:
        sys.stdout.buffer.write(text.encode())  # UTF-8 wherever it goes
        sys.stdout.flush()

    return nullcontext(write)


def _jsonl(found: Iterable[Prediction], name: str) -> Iterator[str]:
    for one in found:
        spans = [[e.start_token, e.end_token, e.type] for e in one.entities]
        row = {"text": one.text, "tokens": one.tokens, "spans": spans, "found": [e.record() for e in one.entities]}
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _conll(found: Iterable[Prediction], name: str) -> Iterator[str]:
    every = list(found)
    rows = [Row(tokens=one.tokens, spans=list(one.sentence.spans)) for one in every if one.tokens]
    if len(rows) < len(every):
        say(f"{len(every) - len(rows)} of {len(every)} have no token, and CoNLL no place for them: left out")
    yield from written_rows(rows, "conll", name)


def _html(found: Iterable[Prediction], name: str) -> Iterator[str]:
    every = list(found)
    counts = Counter(entity.type for one in every for entity in one.entities)
    keys = type_keys({kind: counts[kind] for kind in sorted(counts)})
    number = {key.name: n for n, key in enumerate(keys)}
    lead = (
        f"<p>{counts.total():,} spans in {len(every):,} texts. A line below the words is a span; the Tab key goes from "
        "one to the next, and what is known of it stands at the foot of the window.</p>"
    )

    def marks(one: Prediction) -> list[Mark]:
        return [Mark(e.start_char, e.end_char, _name(e), number[e.type], told(e)) for e in one.entities]

    rows = ((one.text, marks(one), not one.entities) for one in every)
    yield from page(name, lead, keys, rows, quiet="texts without a span")


def _name(entity: Entity) -> str:
    return entity.type if entity.probability is None else f"{entity.type} {entity.probability:.0%}"


def _characters(one: Prediction) -> list[tuple[str, int, int]]:
    return [(entity.type, entity.start_char, entity.end_char) for entity in one.entities]


PIECES: dict[str, Callable[[Iterable[Prediction], str], Iterator[str]]] = {
    "jsonl": _jsonl,
    "conll": _conll,
    "html": _html,
}
