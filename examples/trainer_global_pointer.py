"""GlobalPointer and R-Drop in a `transformers.Trainer`, with span F1.

    python trainer_global_pointer.py distilbert-base-cased    # the toy corpus
    python trainer_global_pointer.py distilbert-base-cased TRAIN DEV    # yours

The encoder is a folder or a hub name. Trainer prints eval_loss, eval_precision,
eval_recall and eval_f1 after each epoch and keeps the best; the tagger is saved
and loaded again. A row is {"tokens": [...], "spans": [...]}, a span (type,
start, end) over the words from `start` up to, not with, `end`; spans may nest,
and words that a tokenizer cuts are put together again. `main` is what is yours.
"""

import sys
from functools import partial

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import Trainer, TrainingArguments

from gpkl_lib import (
    Sentence,
    Tagger,
    decode_spans,
    doubled,
    global_pointer_loss,
    global_pointer_rdrop_loss,
    span_scores,
)
from gpkl_lib.corpora import read_corpus
from gpkl_lib.training import evaluate

ABSENT = -100  # where a sentence has fewer spans; what Trainer pads with


class SpanModel(torch.nn.Module):
    """A tagger as Trainer wants a model."""

    def __init__(self, tagger, alpha=0.4):
        super().__init__()
        self.tagger, self.alpha = tagger, alpha

    def forward(self, pieces, piece_mask, first, attention_mask, labels):
        """What `collate` made -> the loss; in evaluation also what it found."""
        types, head = self.tagger.types, self.tagger.head
        mask = attention_mask
        inputs = {"pieces": pieces, "piece_mask": piece_mask, "first": first}
        gold = spans_of(labels, types)
        if self.training:  # both views in one pass
            inputs = {name: doubled(tensor) for name, tensor in inputs.items()}
            mask = doubled(mask)
            states = self.tagger.encoder(inputs, mask)
            options = {"types": types, "head": head, "alpha": self.alpha}
            losses = global_pointer_rdrop_loss(states, gold, mask, **options)
            return {"loss": losses.loss}
        logits = head(self.tagger.encoder(inputs, mask), mask)
        found = labels_of(decode_spans(logits, types, mask), types)
        loss = global_pointer_loss(logits, gold, mask, types=types)
        return {"loss": loss, "found": found.to(labels.device)}


def labels_of(spans, types):
    """Spans as (B, most of a sentence, 3), each a (type, start, end)."""
    numbers = [[(types.index(t), i, j) for t, i, j in row] for row in spans]
    rows = [torch.tensor(row, dtype=torch.long).view(-1, 3) for row in numbers]
    return pad_sequence(rows, batch_first=True, padding_value=ABSENT)


def spans_of(labels, types):
    """The way back."""
    rows = labels.tolist()
    return [[(types[h], i, j) for h, i, j in row if h >= 0] for row in rows]


def collate(rows, tagger):
    """A batch of rows, all of its tensors sentence by sentence."""
    if any("spans" not in row or "tokens" not in row for row in rows):
        raise ValueError(
            f"a row must have tokens and spans, got {[*rows[0]]}; if it had "
            "them, Trainer took them: it keeps what forward has an argument "
            "for, unless TrainingArguments(..., remove_unused_columns=False)"
        )
    sentences = [Sentence(row["tokens"], row["spans"]) for row in rows]
    batch = tagger.collate(sentences)
    labels = labels_of([sentence.spans for sentence in sentences], tagger.types)
    tensors = {"attention_mask": batch.attention_mask, "labels": labels}
    return {**batch.inputs, **tensors}


def metrics(prediction, types):
    """Precision, recall and F1 of all batches together."""
    found = spans_of(prediction.predictions, types)
    scores = span_scores(found, spans_of(prediction.label_ids, types))
    return {
        "precision": scores.precision,
        "recall": scores.recall,
        "f1": scores.f1,
    }


def rows_of(corpus):
    """A corpus as a dataset."""
    return [{"tokens": row.tokens, "spans": row.spans} for row in corpus]


def main(encoder, train="toy:train", dev="toy:dev"):
    """Train on the first file, keep the epoch that is best on the second."""
    train, dev = read_corpus(train), read_corpus(dev)
    tagger = Tagger.from_encoder(encoder, train.types)
    arguments = TrainingArguments(
        "checkpoints",
        remove_unused_columns=False,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="f1",
        num_train_epochs=5,
        learning_rate=2e-4,
        report_to="none",
    )
    trainer = Trainer(
        SpanModel(tagger),
        arguments,
        train_dataset=rows_of(train),
        eval_dataset=rows_of(dev),
        data_collator=partial(collate, tagger=tagger),
        compute_metrics=partial(metrics, types=tagger.types),
    )
    trainer.train()
    tagger.save("tagger")  # weights, types, tokenizer
    again = Tagger.load("tagger")  # or gpkl predict tagger FILE
    f1 = trainer.evaluate()["eval_f1"]
    print(f"dev F1 {f1:.4f}, saved and loaded {evaluate(again, dev).f1:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
