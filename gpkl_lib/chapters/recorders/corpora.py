"""Facts about the parts of known corpora: sizes, nesting, repeats, what passes from one part to another, what is new.

One row a corpus. A chapter reads the record, so that it needs no corpus when it is built.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from gpkl_lib._storage import Row
from gpkl_lib.chapters.recorders.recorder import Entry
from gpkl_lib.corpora import Corpus, read_corpus
from gpkl_lib.spans import Span, span_scores

PARTS = ("train", "dev", "test")
LOOSE = (re.compile(r"https?://\S+|@\w+"), re.compile(r"\d"))  # what differs between copies of one message


def corpus_rows(corpora: Sequence[str]) -> Iterator[Entry]:
    """A row of `facts` for each of these known corpora."""
    for name in corpora:
        parts = {part: read_corpus(f"{name}:{part}") for part in PARTS}
        sums = {part: corpus.sha256 for part, corpus in parts.items()}
        yield Entry({"corpus": name, "sha256": sums}, partial(facts, name, parts))


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
