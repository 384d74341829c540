"""R-Drop in a `transformers.Trainer`, for a classifier of whole texts or of tokens.

    python trainer_r_drop.py texts distilbert-base-cased     # which sentences name a person?
    python trainer_r_drop.py tokens distilbert-base-cased    # within which type of span is each word?

Both read the built-in toy corpus, or TRAIN and DEV, two files more, and print the accuracy on dev.
The model is a folder or a hub name. `texts` and `tokens` are what is yours; they differ from a
stock Trainer's by `RDropTrainer` and `compute_loss_func`. Pieces without a tag (padding, later pieces
of a word) have the label -100. Trainer scales the loss as it does its own, so gradient accumulation
changes nothing. transformers 4.47 or newer.
"""

import sys
from functools import partial
from itertools import pairwise

from torch import is_grad_enabled
from torch.nn.functional import cross_entropy
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from gpkl_lib import doubled, rdrop_loss, two_views
from gpkl_lib.corpora import read_corpus


class RDropTrainer(Trainer):
    """Shows a training batch twice in one forward pass; dropout makes two views of it."""

    def compute_loss(self, model, inputs, *args, **kwargs):
        """As Trainer's, of the doubled batch."""
        if model.training:
            inputs = {name: doubled(tensor) for name, tensor in inputs.items()}
        return super().compute_loss(model, inputs, *args, **kwargs)


def r_drop(outputs, labels, num_items_in_batch=None, *, alpha=1.0):
    """Cross-entropy of both views and alpha/4 of D, a mean over the labels that count."""
    logits = outputs.logits  # (2B, L, C) of tokens, (2B, C) of texts
    if not is_grad_enabled():  # evaluation: one view
        return cross_entropy(logits.flatten(0, -2), labels.flatten())
    (first, second), (labels, _) = two_views(logits), two_views(labels)
    counts = labels != -100

    def task_loss(view):
        return cross_entropy(view.flatten(0, -2), labels.flatten(), reduction="sum")

    total = rdrop_loss(
        first,
        second,
        task_loss,
        alpha=alpha,
        activation="softmax",
        class_dims=1,
        mask=counts[..., None],
        reduction="sum",
    ).loss
    return total / (counts.sum() if num_items_in_batch is None else num_items_in_batch)


def texts(encoder, train, dev, kind, **options):
    """A classifier of texts, of two classes: is a span of this kind in it?"""
    tokenizer = AutoTokenizer.from_pretrained(encoder)

    def row(sentence):
        label = int(any(span[0] == kind for span in sentence.spans))
        return {**tokenizer(" ".join(sentence.tokens), truncation=True), "labels": label}

    return RDropTrainer(
        AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=2),
        TrainingArguments("checkpoints", save_strategy="no", report_to="none", **options),
        train_dataset=[row(sentence) for sentence in train],
        eval_dataset=[row(sentence) for sentence in dev],
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_loss_func=partial(r_drop, alpha=1.0),
        compute_metrics=accuracy,
    )


def tokens(encoder, train, dev, types, **options):
    """A classifier of tokens: the type of the longest span around each, or none (class 0)."""
    tokenizer = AutoTokenizer.from_pretrained(encoder)

    def row(sentence):
        tags = [0] * len(sentence)
        for kind, start, end in sorted(sentence.spans, key=lambda span: span[2] - span[1]):
            tags[start:end] = [1 + types.index(kind)] * (end - start)
        encoded = tokenizer(list(sentence.tokens), is_split_into_words=True, truncation=True)
        words = [None, *encoded.word_ids()]
        labels = [-100 if w is None or w == before else tags[w] for before, w in pairwise(words)]
        return {**encoded, "labels": labels}

    return RDropTrainer(
        AutoModelForTokenClassification.from_pretrained(encoder, num_labels=1 + len(types)),
        TrainingArguments("checkpoints", save_strategy="no", report_to="none", **options),
        train_dataset=[row(sentence) for sentence in train],
        eval_dataset=[row(sentence) for sentence in dev],
        data_collator=DataCollatorForTokenClassification(tokenizer),
        compute_loss_func=partial(r_drop, alpha=1.0),
        compute_metrics=accuracy,
    )


def accuracy(prediction):
    """Of the classes that count."""
    counts = prediction.label_ids != -100
    right = prediction.predictions.argmax(-1) == prediction.label_ids
    return {"accuracy": right[counts].mean()}


def main(what, encoder, train="toy:train", dev="toy:dev", epochs=5, learning_rate=2e-4):
    """Train on the first file, and score on the second."""
    train, dev = read_corpus(train), read_corpus(dev)
    options = {"num_train_epochs": epochs, "learning_rate": learning_rate}
    if what == "texts":
        kind = "person" if "person" in train.types else train.types[0]
        trainer = texts(encoder, train, dev, kind, **options)
    else:
        trainer = tokens(encoder, train, dev, train.types, **options)
    trainer.train()
    print(f"dev accuracy {trainer.evaluate()['eval_accuracy']:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
