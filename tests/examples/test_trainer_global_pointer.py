"""GlobalPointer in a `transformers.Trainer`: it learns nested spans, scores batches of unequal length, and is kept."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from gallery import load, ten_lines

from gpkl_lib import Tagger, global_pointer_loss, span_scores
from gpkl_lib.corpora import Sentence

pytestmark = [pytest.mark.pretrained, pytest.mark.usefixtures("accelerate_as_it_was")]
TYPES = ("LOC", "PER")


def rows(sentences: Any) -> list[dict[str, Any]]:
    return [{"tokens": sentence.tokens, "spans": sentence.spans} for sentence in sentences]


def trainer(tagger: Tagger, folder: Path, train: Any, dev: Any, **changes: Any) -> Any:
    import transformers

    example = load("trainer_global_pointer")
    settings: dict[str, Any] = {
        "learning_rate": 5e-3,
        "num_train_epochs": 40,
        "per_device_train_batch_size": 5,
        "per_device_eval_batch_size": 3,
        "remove_unused_columns": False,
        "report_to": [],
        "save_strategy": "no",
        "disable_tqdm": True,
        "use_cpu": True,
        "seed": 0,
    }
    return transformers.Trainer(
        example.SpanModel(tagger),
        transformers.TrainingArguments(str(folder), **{**settings, **changes}),
        train_dataset=train,
        eval_dataset=dev,
        data_collator=functools.partial(example.collate, tagger=tagger),
        compute_metrics=functools.partial(example.metrics, types=tagger.types),
    )


def test_nested_spans_are_learnt_and_the_f1_of_unequal_batches_is_that_of_the_tagger(encoder: Path, tmp_path: Path):
    train = ten_lines()
    tagger = Tagger.from_encoder(encoder, train.types)
    dev = [*train, Sentence(("Mara", "works", ".")), Sentence(("Went", "to", "Oslo"), (("LOC", 2, 3),)), *ten_lines(1)]
    ours = trainer(tagger, tmp_path / "run", rows(train), rows(dev))
    before = ours.evaluate()["eval_loss"]
    ours.train()
    after = ours.evaluate()
    assert after["eval_loss"] < before / 5
    scores = span_scores(tagger.predict(dev), [sentence.spans for sentence in dev])
    assert (after["eval_precision"], after["eval_recall"], after["eval_f1"]) == (
        scores.precision,
        scores.recall,
        scores.f1,
    )
    assert span_scores(tagger.predict(train.sentences), [sentence.spans for sentence in train]).f1 > 0.9
    tagger.save(tmp_path / "tagger")
    assert Tagger.load(tmp_path / "tagger").predict(dev, warn=False) == tagger.predict(dev)


def test_what_trainer_writes_holds_the_tagger(encoder: Path, tmp_path: Path):
    train = ten_lines()
    tagger = Tagger.from_encoder(encoder, train.types)
    ours = trainer(tagger, tmp_path / "run", rows(train), rows(train), num_train_epochs=1, save_strategy="epoch")
    ours.train()
    from safetensors.torch import load_file

    written = load_file(tmp_path / "run/checkpoint-2/model.safetensors")
    for name, tensor in tagger.state_dict().items():
        assert torch.equal(written[f"tagger.{name}"], tensor), name


@pytest.mark.parametrize("changes", [{}, {"remove_unused_columns": True}])
def test_a_row_that_lost_its_spans_is_told_what_to_do(encoder: Path, tmp_path: Path, changes: dict[str, bool]):
    tagger = Tagger.from_encoder(encoder, ["PER"])
    given = rows([Sentence(("Mara",), (("PER", 0, 1),))]) if changes else [{"tokens": ["Mara"]}]
    with pytest.raises(ValueError, match=r"TrainingArguments\(..., remove_unused_columns=False\)"):
        trainer(tagger, tmp_path, given, given, **changes).train()


def test_labels_are_a_sentence_a_row_and_come_back(encoder: Path):
    example = load("trainer_global_pointer")
    spans = [[("PER", 0, 2), ("LOC", 1, 2)], [], [("LOC", 0, 1)]]
    labels = example.labels_of(spans, TYPES)
    assert labels.tolist() == [[[1, 0, 2], [0, 1, 2]], [[-100] * 3] * 2, [[0, 0, 1], [-100] * 3]]
    assert example.spans_of(labels, TYPES) == spans
    assert example.labels_of([[], []], TYPES).shape == (2, 0, 3)
    tagger = Tagger.from_encoder(encoder, TYPES)
    batch = example.collate(
        [{"tokens": ["Mara", "Oslo"], "spans": [("PER", 0, 2)]}, {"tokens": ["."], "spans": []}], tagger
    )
    assert {len(tensor) for tensor in batch.values()} == {2}
    assert batch["attention_mask"].tolist() == [[True, True], [True, False]]
    assert batch["labels"].tolist() == [[[1, 0, 2]], [[-100, -100, -100]]]
    out = example.SpanModel(tagger).eval()(**batch)
    logits = tagger.eval()(tagger.collate([Sentence(("Mara", "Oslo")), Sentence((".",))]))
    wanted = global_pointer_loss(logits, [[("PER", 0, 2)], []], batch["attention_mask"], types=TYPES)
    torch.testing.assert_close(out["loss"], wanted)
