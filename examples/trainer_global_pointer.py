"""GlobalPointer and R-Drop in a `transformers.Trainer`, with span F1 while it trains; saved and loaded.

    python trainer_global_pointer.py distilbert-base-cased                          # the toy corpus
    python trainer_global_pointer.py distilbert-base-cased TRAIN.conll DEV.conll    # yours

The encoder is a folder or a hub name. Trainer prints eval_loss, eval_precision, eval_recall and
eval_f1 after each epoch and keeps the best. A row is {"tokens": [...], "spans": [...]}, a span
(type, start, end) over the words from `start` up to, not with, `end`; spans may nest, and words that a
tokenizer cuts are put together again. `main` is what is yours.
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

ABSENT = -100  # what Trainer fills up with when it puts batches of unequal width together


class SpanModel(torch.nn.Module):
    """A tagger on a pretrained encoder as Trainer wants a model: it returns the loss, and what it found."""

    def __init__(self, tagger, alpha=0.4):
        super().__init__()
        self.tagger, self.alpha = tagger, alpha

    def forward(self, pieces, piece_mask, first, attention_mask, labels):
        """What `collate` made -> {"loss"}, and in evaluation {"loss", "found"}, found like labels."""
        inputs = {"pieces": pieces, "piece_mask": piece_mask, "first": first}
        options = {"types": self.tagger.types, "head": self.tagger.head}
        gold = spans_of(labels, self.tagger.types)
        if self.training:  # both views in one pass
            inputs, attention_mask = {name: doubled(x) for name, x in inputs.items()}, doubled(attention_mask)
        states = self.tagger.encoder(inputs, attention_mask)
        if self.training:
            return {"loss": global_pointer_rdrop_loss(states, gold, attention_mask, alpha=self.alpha, **options).loss}
        found = decode_spans(self.tagger.head(states, attention_mask), self.tagger.types, attention_mask)
        loss = global_pointer_loss(states, gold, attention_mask, **options)
        return {"loss": loss, "found": labels_of(found, self.tagger.types).to(labels.device)}


def labels_of(spans, types):
    """The spans of each sentence as (B, most spans of a sentence, 3), rows (type, start, end), ABSENT beyond them."""
    rows = [torch.tensor([(types.index(t), i, j) for t, i, j in row], dtype=torch.long).view(-1, 3) for row in spans]
    return pad_sequence(rows, batch_first=True, padding_value=ABSENT)


def spans_of(labels, types):
    """The spans of each sentence, from what `labels_of` made."""
    return [[(types[h], i, j) for h, i, j in row if h != ABSENT] for row in labels.tolist()]


def collate(rows, tagger):
    """A batch of rows, all of its tensors sentence by sentence."""
    if any("spans" not in row or "tokens" not in row for row in rows):
        raise ValueError(
            f"a row must have tokens and spans, got {[*rows[0]]}; if the dataset has them, Trainer took away what the "
            "model's forward has no argument for: give TrainingArguments(..., remove_unused_columns=False)"
        )
    sentences = [Sentence(row["tokens"], row["spans"]) for row in rows]
    batch = tagger.collate(sentences)
    labels = labels_of([sentence.spans for sentence in sentences], tagger.types)
    return {**batch.inputs, "attention_mask": batch.attention_mask, "labels": labels}


def metrics(prediction, types):
    """Precision, recall and F1 over the whole evaluation set, which Trainer has put together."""
    scores = span_scores(spans_of(prediction.predictions, types), spans_of(prediction.label_ids, types))
    return {"precision": scores.precision, "recall": scores.recall, "f1": scores.f1}


def main(encoder, train="toy:train", dev="toy:dev", epochs=5.0, learning_rate=2e-4):
    """Train on the first file, score on the second after each epoch, keep the best epoch."""
    train, dev = read_corpus(train), read_corpus(dev)
    tagger = Tagger.from_encoder(encoder, train.types)
    arguments = TrainingArguments(
        "checkpoints",
        remove_unused_columns=False,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="f1",
        num_train_epochs=epochs,
        learning_rate=learning_rate,
        report_to="none",
    )
    trainer = Trainer(
        SpanModel(tagger),
        arguments,
        train_dataset=[{"tokens": row.tokens, "spans": row.spans} for row in train],
        eval_dataset=[{"tokens": row.tokens, "spans": row.spans} for row in dev],
        data_collator=partial(collate, tagger=tagger),
        compute_metrics=partial(metrics, types=tagger.types),
    )
    trainer.train()
    tagger.save("tagger")
    again = Tagger.load("tagger")  # weights, types and tokenizer; also `gpkl predict tagger FILE`
    print(f"dev F1 {trainer.evaluate()['eval_f1']:.4f}, digest {again.digest()[:8]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
