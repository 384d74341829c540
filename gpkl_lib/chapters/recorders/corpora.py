"""Facts about the parts of known corpora: sizes, nesting, repeats, what passes from one part to another, what is new.

    python -m gpkl_lib.chapters.recorders.corpora --corpus wnut17 --corpus germeval2014 --output FILE

One row a corpus. A chapter reads the record, so that it needs no corpus when it is built.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from gpkl_lib._storage import Row, append_row, read_rows
from gpkl_lib.corpora import KNOWN, Corpus, read_corpus
from gpkl_lib.experiments import identity, provenance
from gpkl_lib.spans import Span, span_scores

PARTS = ("train", "dev", "test")
LOOSE = (re.compile(r"https?://\S+|@\w+"), re.compile(r"\d"))  # what differs between copies of one message


NAME = "gpkl_lib.chapters.recorders.corpora"


def facts(name: str, parts: Mapping[str, Corpus]) -> Row:
    """What is known of a corpus.

    Args:
        name: its name.
        parts: "train", and "dev", "test" as far as there are.

    Returns:
        JSON: "parts" with `part_facts` of each; "between" with how many sentences of the later part stand in the
        earlier one, word for word ("same") and with case, digits, addresses and user names ignored ("alike");
        "unseen", shares of the words, and of the (words of a span, type) pairs, of dev and test that train lacks.
    """
    train = parts["train"]
    words = {token for sentence in train for token in sentence.tokens}
    spans = {(sentence.surface(span), span[0]) for sentence in train for span in sentence.spans}
    pairs = [(a, b) for a in PARTS for b in PARTS if a in parts and b in parts and PARTS.index(a) < PARTS.index(b)]
    return {
        "key": identity({"corpus": name, "sha256": {part: corpus.sha256 for part, corpus in parts.items()}}),
        "corpus": name,
        "parts": {part: part_facts(corpus) for part, corpus in parts.items()},
        "between": {f"{a}, {b}": _shared(parts[a], parts[b]) for a, b in pairs},
        "unseen": {
            part: {
                "words": _share(token not in words for sentence in corpus for token in sentence.tokens),
                "spans": _share((s.surface(span), span[0]) not in spans for s in corpus for span in s.spans),
                "types": sorted({*corpus.types} - {*train.types}),
                "longer_sentences": sum(len(s) > max(map(len, train)) for s in corpus),
            }
            for part, corpus in parts.items()
            if part != "train"
        },
    }


def part_facts(corpus: Corpus) -> Row:
    """Counts of one part.

    "repeats" are sentences whose words stood before in the part, "contradicted" those of them whose spans differ from
    the first copy's; "flat" is the F1 of the best that one tag a word can do; "rare" the types with under 20 spans.
    """
    first: dict[tuple[str, ...], tuple[Span, ...]] = {}
    repeats = contradicted = 0
    for sentence in corpus:
        if sentence.tokens in first:
            repeats += 1
            contradicted += first[sentence.tokens] != sentence.spans
        first.setdefault(sentence.tokens, sentence.spans)
    nested = [len(sentence.nested()) for sentence in corpus]
    types = corpus.by_type()
    return {
        "sha256": corpus.sha256,
        "source": corpus.source,
        "sentences": len(corpus),
        "tokens": sum(map(len, corpus)),
        "longest": max(map(len, corpus), default=0),
        "spans": sum(types.values()),
        "types": types,
        "rare": sorted(kind for kind, count in types.items() if count < 20),
        "nested": sum(nested),
        "sentences_with_nested": sum(map(bool, nested)),
        "without_spans": sum(not sentence.spans for sentence in corpus),
        "repeats": repeats,
        "contradicted": contradicted,
        "flat": span_scores([flat(s.spans) for s in corpus], [s.spans for s in corpus]).f1,
        "oddities": {kind: [count, corpus.first_lines[kind]] for kind, count in corpus.oddities.items()},
    }


def flat(spans: Sequence[Span]) -> list[Span]:
    """As many of the spans as do not overlap: what one tag a word can hold at most."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span[2], -span[1])):
        if not kept or span[1] >= kept[-1][2]:
            kept.append(span)
    return kept


def _shared(earlier: Corpus, later: Corpus) -> Row:
    same = {sentence.tokens for sentence in earlier}
    alike = {_loose(sentence.tokens) for sentence in earlier}
    return {
        "same": sum(sentence.tokens in same for sentence in later),
        "alike": sum(_loose(sentence.tokens) in alike for sentence in later),
    }


def _loose(tokens: Sequence[str]) -> str:
    text = LOOSE[0].sub("<>", " ".join(tokens).lower())
    return LOOSE[1].sub("0", text)


def _share(values: Any) -> float:
    counts = Counter(map(bool, values))
    return counts[True] / max(counts.total(), 1)


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; a row that --output has already is not made again."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        "python -m gpkl_lib.chapters.recorders.corpora", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--corpus", action="append", choices=sorted(KNOWN), required=True, help="may be given again")
    parser.add_argument("--output", required=True, metavar="FILE", help="JSONL, appended to")
    arguments = parser.parse_args(words)
    output = Path(arguments.output)
    there = {row["key"] for row in read_rows(output)} if output.exists() else set()
    for name in arguments.corpus:
        row = facts(name, {part: read_corpus(f"{name}:{part}") for part in PARTS})
        if row["key"] in there:
            print(f"{output}: the facts of {name} are there already", file=sys.stderr)
            continue
        row["provenance"] = provenance(torch.device("cpu"))
        row["provenance"]["command"] = shlex.join(["python", "-m", NAME, *words])
        append_row(output, row)
        print(f"{output}: {name}, {row['parts']['train']['sentences']:,} sentences of train", file=sys.stderr)


if __name__ == "__main__":
    main()
