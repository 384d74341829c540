"""What is given to the front door by mistake is refused in a sentence that names it, or works; nothing is silent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gpkl_lib import (
    GlobalPointer,
    Sentence,
    Tagger,
    decode_spans,
    doubled,
    fit,
    global_pointer_loss,
    global_pointer_rdrop_loss,
    gold_cells,
    rdrop_loss,
    span_mask,
    symmetric_kl,
    two_views,
)
from gpkl_lib._storage import CheckpointError
from gpkl_lib.corpora import toy_corpus
from gpkl_lib.training import TrainingConfig, evaluate

TYPES, SPANS = ["PER", "LOC"], [[("PER", 0, 2), ("LOC", 1, 2)], []]
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
LOGITS = torch.linspace(-1, 1, 100).view(2, 2, 5, 5)
CORPUS = toy_corpus(4)
TAGGER = Tagger.from_scratch(CORPUS.sentences, CORPUS.types, hidden_size=8)
META = torch.device("meta")  # no GPU is needed to be on another device


def loss(gold: Any = SPANS, **change: Any) -> torch.Tensor:
    given = {"input": LOGITS, "attention_mask": MASK, "types": TYPES} | change
    return global_pointer_loss(gold=gold, **given)


def r_drop(**change: Any) -> Any:
    given: dict[str, Any] = {"alpha": 1.0, "activation": "sigmoid", "class_dims": 2, "task_loss": torch.sum} | change
    return rdrop_loss(LOGITS, given.pop("other", LOGITS), **given)


REFUSED: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "gold: a generator": (lambda: loss(iter(SPANS)), TypeError, "gold must be a list with the spans of each sentence"),
    "gold: None": (lambda: loss(None), TypeError, "gold must be a list with the spans of each sentence, got None"),
    "gold: a string": (lambda: loss("ab"), TypeError, "gold must be a list with the spans of each sentence, got 'ab'"),
    "gold: by number": (lambda: loss({0: [], 1: []}), TypeError, "gold must be a list with the spans of each"),
    "gold: an array": (lambda: loss(np.zeros((2, 4))), TypeError, "gold must be a list with the spans of each"),
    "gold: None in it": (lambda: loss([[], None]), TypeError, "got None for sentence 1"),
    "gold: spans of one": (lambda: loss(SPANS[0]), TypeError, "got 'PER' in sentence 0"),
    "gold: dictionaries": (lambda: loss([[], [{"type": "PER"}]]), TypeError, "got {'type': 'PER'} in sentence 1"),
    "gold: numbered types": (lambda: loss([[(0, 0, 2)], []]), TypeError, "got (0, 0, 2) in sentence 0"),
    "gold: with a score": (lambda: loss([[("PER", 0, 2, 0.9)], []]), TypeError, "got ('PER', 0, 2, 0.9) in sentence 0"),
    "types: numbers": (lambda: loss([[], []], types=[0, 1]), TypeError, "types must be a list of names, in the order"),
    "types: a dictionary": (lambda: loss(types={"PER": 1, "LOC": 0}), TypeError, "types must be a list of names"),
    "mask: elsewhere": (
        lambda: loss(attention_mask=MASK.to(META)),
        ValueError,
        "attention_mask must be on the device of input, cpu, got meta",
    ),
    "logits: elsewhere": (lambda: loss(input=LOGITS.to(META)), ValueError, "on the device of input, meta, got cpu"),
    "gold_cells: turned round": (lambda: gold_cells(TYPES, SPANS), TypeError, "types must be a list of names"),
    "gold_cells: None": (lambda: gold_cells(None, TYPES), TypeError, "spans must be a list with the spans of each"),
    "gold_cells: a string": (lambda: gold_cells("PER", TYPES), TypeError, "spans must be a list with the spans of"),
    "doubled: a number": (lambda: doubled(torch.tensor(1)), ValueError, "batch must have a first dimension"),
    "doubled: a dictionary": (lambda: doubled({"ids": MASK}), TypeError, "batch must be a torch.Tensor, got dict"),
    "two_views: a number": (lambda: two_views(torch.tensor(1)), ValueError, "output must have a first dimension"),
    "two_views: two views": (lambda: two_views((LOGITS, LOGITS)), TypeError, "output must be a torch.Tensor, got t"),
    "r-drop: a switch for alpha": (lambda: r_drop(alpha=True), TypeError, "alpha must be a number, got bool"),
    "r-drop: a tensor for alpha": (lambda: r_drop(alpha=torch.tensor(1.0)), TypeError, "alpha must be a number, got T"),
    "r-drop: a switch for class_dims": (lambda: r_drop(class_dims=True), TypeError, "class_dims must be an int, got b"),
    "r-drop: a mask of tokens": (lambda: r_drop(mask=MASK), TypeError, "mask must be a boolean tensor, True = valid"),
    "r-drop: views elsewhere": (
        lambda: r_drop(other=LOGITS.to(META)),
        ValueError,
        "other must be on the device of input, cpu, got meta",
    ),
    "r-drop: mask elsewhere": (
        lambda: r_drop(mask=torch.ones(5, 5, dtype=torch.bool, device=META)),
        ValueError,
        "mask must be on the device of input, cpu, got meta",
    ),
    "r-drop: gold doubled as well": (
        lambda: global_pointer_rdrop_loss(doubled(LOGITS), SPANS * 2, doubled(MASK), alpha=1.0, types=TYPES),
        ValueError,
        "gold must hold the spans of each of 2 sentences, got 4 lists",
    ),
    "divergence: a temperature in words": (
        lambda: symmetric_kl(LOGITS, LOGITS, class_dims=2, temperature="1"),
        TypeError,
        "temperature must be a number, got str",
    ),
    "decode: types that are numbers": (lambda: decode_spans(LOGITS, [0, 1], MASK), TypeError, "types must be a list"),
    "Sentence: a text": (lambda: Sentence("Anna met"), TypeError, "tokens must be a list of strings, got 'Anna met'"),
    "Sentence: one span": (lambda: Sentence(("a", "b"), ("PER", 0, 1)), TypeError, "spans must be (type, start, end)"),
    "Sentence: type last": (lambda: Sentence(("a",), ((0, 1, "PER"),)), TypeError, "spans must be (type, start, end)"),
    "Sentence: half a token": (lambda: Sentence(("a",), (("PER", 0, 0.9),)), TypeError, "the last two whole, got"),
    "predict: a set": (lambda: TAGGER.predict({"Anna met"}), TypeError, "texts must be an iterable of texts"),
    "predict: a folder": (lambda: TAGGER.predict(Path()), TypeError, "texts must be an iterable of texts"),
    "predict: None in it": (lambda: TAGGER.predict(["Anna", None]), TypeError, "texts[1]: a text is a string"),
    "stream: a number in it": (lambda: list(TAGGER.stream(["Anna", 3])), TypeError, "texts[1]: a text is a string"),
    "predict: half a batch": (lambda: TAGGER.predict(["a"], batch_size=1.5), TypeError, "batch_size must be a whole"),
    "predict: a switch": (lambda: TAGGER.predict(["a"], threshold=True), TypeError, "threshold must be a number, got"),
    "calibrate: a list": (lambda: TAGGER.calibrate([]), TypeError, "corpus must be a Corpus, as read_corpus gives it"),
    "load: a number": (lambda: Tagger.load(3), TypeError, "the place of a tagger is a folder or a hub name, got 3"),
    "load: nothing": (lambda: Tagger.load(""), CheckpointError, "the place of a tagger is a folder or a hub name, got"),
    "load: a file": (lambda: Tagger.load(__file__), CheckpointError, "is a file, and a tagger is a folder"),
    "load: None": (lambda: Tagger.from_pretrained(None), TypeError, "is a folder or a hub name, got None"),
    "load: an address": (
        lambda: Tagger.from_pretrained("https://example.org/me/names"),
        CheckpointError,
        "https://example.org/me/names is an address: give the hub name",
    ),
    "save: a number": (lambda: TAGGER.save(3), TypeError, "the place of a tagger is a folder, got 3"),
    "save: a file": (lambda: TAGGER.save(__file__), CheckpointError, "cannot be made a folder: File exists"),
    "tagger: texts": (lambda: Tagger.from_scratch(["Anna"], TYPES), TypeError, "sentences[0] must be a Sentence"),
    "tagger: nothing to read": (lambda: Tagger.from_scratch([], TYPES), ValueError, "sentences must hold at least one"),
    "tagger: letters for types": (
        lambda: Tagger.from_scratch(CORPUS.sentences, "PER"),
        TypeError,
        "types must be a list of names, in the order of the heads, got 'PER'",
    ),
    "tagger: types in no order": (
        lambda: Tagger.from_scratch(CORPUS.sentences, {*CORPUS.types}),
        TypeError,
        "types must be a list of names, in the order of the heads, got {",
    ),
    "fit: a path": (lambda: fit(TAGGER, "train.conll", CORPUS), TypeError, "train must be a Corpus, as read_corpus g"),
    "fit: a list": (lambda: fit(TAGGER, CORPUS, CORPUS.sentences), TypeError, "dev must be a Corpus, as read_corpus"),
    "fit: a dictionary": (lambda: fit(TAGGER, CORPUS, CORPUS, config={}), TypeError, "config must be a TrainingConfig"),
    "fit: no tagger": (lambda: fit("words", CORPUS, CORPUS), TypeError, "tagger must be a Tagger, as Tagger.from_scr"),
    "fit: a teacher's folder": (
        lambda: fit(TAGGER, CORPUS, CORPUS, config=TrainingConfig(method="distillation"), teacher="runs/large"),
        TypeError,
        "teacher must be a Tagger or None, as Tagger.load gives it; got 'runs/large'",
    ),
    "evaluate: a path": (lambda: evaluate(TAGGER, "toy:dev"), TypeError, "corpus[0] must be a Sentence"),
}  # fmt: skip


@pytest.mark.parametrize("misuse", REFUSED)
def test_a_misuse_is_named(misuse: str) -> None:
    do, error, message = REFUSED[misuse]
    with pytest.raises(error, match=re.escape(message)):
        do()


def spans_once() -> Iterator[Iterator[Any]]:
    """Iterators, which give what they have once."""
    return (iter(spans) for spans in SPANS)


def test_what_can_be_meant_in_one_way_alone_works() -> None:
    right = loss()
    assert torch.equal(loss([*spans_once()]), right)
    assert torch.equal(loss([[("PER", np.int64(0), np.int32(2)), [1, 2, "LOC"]], ()]), right)
    assert torch.equal(loss(attention_mask=MASK.to(torch.uint8)), right)
    assert torch.equal(gold_cells(spans_once(), TYPES), gold_cells(SPANS, TYPES))
    assert loss([], input=LOGITS[:0], attention_mask=MASK[:0]) == 0
    head = GlobalPointer(4, 2, 4)
    assert torch.equal(
        loss(input=torch.ones(2, 5, 4), head=head), loss(input=torch.ones(2, 5, 4), head=lambda *given: head(*given))
    )


@pytest.mark.parametrize("filling", [1e9, float("inf"), float("nan")])
def test_what_a_head_leaves_in_cells_that_are_no_span_is_not_looked_at(filling: float) -> None:
    own = LOGITS.flip(0)
    results = []
    for fill in (0.0, filling):
        logits = torch.cat([LOGITS, own]).where(span_mask(doubled(MASK)), fill).requires_grad_()
        losses = global_pointer_rdrop_loss(logits, SPANS, doubled(MASK), alpha=1.0, types=TYPES)
        (gradient,) = torch.autograd.grad(losses.loss, logits)
        results.append((torch.stack(losses), gradient, decode_spans(logits[:2].detach(), TYPES, MASK)))
    (losses, gradient, spans), (same, as_well, found) = results
    assert torch.equal(losses, same)
    assert torch.equal(gradient, as_well)
    assert spans == found


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        (" \r\n\t", []),
        ("a", ["a"]),
        ("A\r\nb", ["A", "b"]),
        ("Anna 👩‍👩‍👧 met 🇩🇪", ["Anna", "👩‍👩‍👧", "met", "🇩🇪"]),
        ("\ufeffAnna", ["\ufeff", "Anna"]),
        ("Anna\0", ["Anna", "\0"]),
    ],
)
def test_a_text_of_any_characters_is_read(text: str, tokens: list[str]) -> None:
    (found,) = TAGGER.stream([text], threshold=-1e9)
    assert found.tokens == tokens
    assert all(text[one.start_char : one.end_char] == one.text for one in found.entities)
    assert bool(found.entities) == bool(tokens)
