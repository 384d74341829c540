"""Coming from seqeval, GLiNER and bert4torch: numbers of theirs, made independently, that agree with the library's."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from gallery import load, ten_lines

from gpkl_lib import GlobalPointer, Tagger, global_pointer_loss, gold_cells, span_scores
from gpkl_lib.corpora import convert_corpus, read_corpus, toy_corpus, write_jsonl


@pytest.mark.parametrize("letters", ["BIO", "BIESO"])
def test_the_scores_are_those_of_seqeval_whatever_the_tags(letters: str):
    """On rows of random tags, most of them badly formed: orphans, changes of type inside an entity, none closed."""
    metrics = pytest.importorskip(
        "seqeval.metrics", reason="needs the package seqeval: pip install 'gpkl-lib[examples]'"
    )
    example, draw = load("from_seqeval"), random.Random(letters)

    def row() -> list[str]:
        return [
            letter if letter == "O" else f"{letter}-{draw.choice(('PER', 'LOC'))}"
            for letter in draw.choices(letters, k=draw.randint(1, 12))
        ]

    scheme = "IOB2" if letters == "BIO" else "BIOES"
    true = [row() for _ in range(300)]
    predicted = [
        tags if draw.random() < 0.5 else [row()[0] if draw.random() < 0.2 else t for t in tags] for tags in true
    ]
    scores = span_scores(example.spans(predicted, scheme), example.spans(true, scheme))
    assert scores.f1 == pytest.approx(metrics.f1_score(true, predicted))
    assert scores.macro_f1 == pytest.approx(metrics.f1_score(true, predicted, average="macro"))
    report = metrics.classification_report(true, predicted, output_dict=True)
    for name, of_type in scores.by_type.items():
        theirs = report[name]
        assert (of_type.precision, of_type.recall, of_type.f1) == pytest.approx(
            (theirs["precision"], theirs["recall"], theirs["f1-score"])
        )
        assert of_type.gold == theirs["support"]
    assert 0.3 < scores.f1 < 0.95


def test_rows_of_gliner_are_read_and_its_dictionaries_score_as_the_tagger_does(tmp_path: Path):
    example, corpus = load("from_gliner"), toy_corpus(40)
    write_jsonl(tmp_path / "mine.jsonl", corpus)
    convert_corpus(tmp_path / "mine.jsonl", tmp_path / "theirs.json", to="gliner")
    theirs = read_corpus(tmp_path / "theirs.json")
    assert theirs.sentences == corpus.sentences
    assert '"tokenized_text"' in (tmp_path / "theirs.json").read_text("utf-8")

    tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16).eval()
    tagger.head.projection.weight.data.mul_(5)
    curve = tagger.calibrate(corpus)
    predicted, gold, flat = [], [], []
    for sentence in corpus:
        text = " ".join(sentence.tokens)
        starts = [len(" ".join(sentence.tokens[:n])) + (n > 0) for n in range(len(sentence) + 1)]
        gold.append([(t, starts[i], starts[j] - 1) for t, i, j in sentence.spans])
        options = {"threshold": curve.probability(0.0)}
        found = example.predict_entities(tagger, text, flat_ner=False, **options)
        assert all(text[one["start"] : one["end"]] == one["text"] for one in found)
        predicted.append([(one["label"], one["start"], one["end"]) for one in found])
        flat.append(example.predict_entities(tagger, text, ["person", "place"], **options))
        chosen = [one for one in found if one["label"] in ("person", "place")]
        assert {tuple(one.values()) for one in flat[-1]} <= {tuple(one.values()) for one in chosen}
        if chosen:
            assert max(one["score"] for one in flat[-1]) == max(one["score"] for one in chosen)
        assert all(one["end"] <= other["start"] for one, other in zip(flat[-1], flat[-1][1:], strict=False))
    assert sum(map(len, flat)) < sum(map(len, predicted))
    ours = span_scores(tagger.predict([" ".join(s.tokens) for s in corpus]), [s.spans for s in corpus])
    assert 0 < ours.correct < ours.predicted
    assert span_scores(predicted, gold).f1 == ours.f1


def test_the_documented_loss_of_bert4torch_is_the_loss():
    example, generator = load("from_bert4torch"), torch.Generator().manual_seed(0)
    corpus = ten_lines()
    spans = [sentence.spans for sentence in corpus]
    mask = torch.tensor([[n < len(sentence) for n in range(9)] for sentence in corpus])
    logits = GlobalPointer(16, 3)(2 * torch.randn(10, 9, 16, generator=generator), mask)
    labels = torch.zeros_like(logits)
    labels[tuple(gold_cells(spans, corpus.types).T)] = 1
    rows = logits.flatten(0, 1).flatten(1), labels.flatten(0, 1).flatten(1)
    torch.testing.assert_close(
        global_pointer_loss(logits, spans, mask, types=corpus.types), example.documented_loss(*rows)
    )


def test_a_head_of_bert4torch_scores_the_same_after_the_move():
    """Its layout: for each type a query, then a key; neighbours rotated as pairs; the product over sqrt(head_size)."""
    torch.manual_seed(0)
    heads, size, states = 3, 8, torch.randn(2, 6, 16)
    weights = {"dense.weight": torch.randn(heads * 2 * size, 16), "dense.bias": torch.randn(heads * 2 * size)}
    head = load("from_bert4torch").move_head(weights, 16, heads, size)
    found = head(states)
    for b, h, i, j in [(0, 0, 0, 0), (0, 2, 1, 4), (1, 1, 0, 5), (1, 2, 3, 3)]:
        at = 2 * size * h
        query, key = (
            weights["dense.weight"][part] @ states[b, place] + weights["dense.bias"][part]
            for part, place in ((slice(at, at + size), i), (slice(at + size, at + 2 * size), j))
        )
        score = 0.0
        for pair in range(size // 2):
            q, k = (torch.complex(*x[2 * pair : 2 * pair + 2]) for x in (query, key))
            turn = torch.polar(torch.tensor(1.0), torch.tensor((i - j) * 10000.0 ** (-2 * pair / size)))
            score += (q * turn * k.conj()).real
        torch.testing.assert_close(found[b, h, i, j], score / size**0.5)
