"""R-Drop in a `transformers.Trainer`, for a classifier of texts or of tokens.

    python trainer_r_drop.py texts distilbert-base-cased     # names a person?
    python trainer_r_drop.py tokens distilbert-base-cased    # within what span?

Both read the built-in toy corpus, or TRAIN and DEV, two files more, and print
the accuracy on dev. The model is a folder or a hub name. `texts` and `tokens`
are what is yours; they differ from a stock Trainer's by `RDropTrainer` and
`compute_loss_func`. Pieces without a tag (padding, later pieces of a word) have
the label -100. Trainer scales the loss as it does its own, so that gradient
accumulation changes nothing. transformers 4.47 or newer.
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
    """Shows a training batch twice in one pass; dropout makes two views."""

    def compute_loss(self, model, inputs, *args, **kwargs):
        """As Trainer's, of the doubled batch."""
        if model.training:
            inputs = {name: doubled(tensor) for name, tensor in inputs.items()}
        return super().compute_loss(model, inputs, *args, **kwargs)


def r_drop(outputs, labels, num_items_in_batch=None, *, alpha=1.0):
    """Cross-entropy of both views and alpha/4 of D, means over true labels."""
    logits = outputs.logits  # (2B, L, C) of tokens, (2B, C) of texts
    if not is_grad_enabled():  # evaluation: one view
        return cross_entropy(logits.flatten(0, -2), labels.flatten())
    labels, _ = two_views(labels)
    counts = labels != -100

    def task_loss(view):
        rows, right = view.flatten(0, -2), labels.flatten()
        return cross_entropy(rows, right, reduction="sum")

    total, _, _ = rdrop_loss(
        *two_views(logits),
        task_loss,
        alpha=alpha,
        activation="softmax",
        class_dims=1,
        mask=counts[..., None],
        reduction="sum",
    )
    items = counts.sum() if num_items_in_batch is None else num_items_in_batch
    return total / items


def texts(encoder, train, dev, kind, arguments):
    """A classifier of texts: is a span of this kind in it?"""
    tokenizer = AutoTokenizer.from_pretrained(encoder)

    def row(sentence):
        encoded = tokenizer(" ".join(sentence.tokens), truncation=True)
        label = int(any(span[0] == kind for span in sentence.spans))
        return {**encoded, "labels": label}

    return RDropTrainer(
        AutoModelForSequenceClassification.from_pretrained(
            encoder, num_labels=2
        ),
        arguments,
        train_dataset=[row(sentence) for sentence in train],
        eval_dataset=[row(sentence) for sentence in dev],
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_loss_func=partial(r_drop, alpha=1.0),
        compute_metrics=accuracy,
    )


def tokens(encoder, train, dev, types, arguments):
    """A classifier of tokens: the type of the longest span around it, or 0."""
    tokenizer = AutoTokenizer.from_pretrained(encoder)

    def row(sentence):
        words, tags = list(sentence.tokens), [0] * len(sentence)
        for kind, start, end in sorted(
            sentence.spans, key=lambda s: s[2] - s[1]
        ):
            tags[start:end] = [1 + types.index(kind)] * (end - start)
        encoded = tokenizer(words, is_split_into_words=True, truncation=True)
        pairs = pairwise(
            [None, *encoded.word_ids()]
        )  # a piece's word, the next's
        labels = [-100 if b in (None, a) else tags[b] for a, b in pairs]
        return {**encoded, "labels": labels}

    classes = 1 + len(types)
    return RDropTrainer(
        AutoModelForTokenClassification.from_pretrained(
            encoder, num_labels=classes
        ),
        arguments,
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


def main(what, encoder, train="toy:train", dev="toy:dev"):
    """Train on the first file, and score on the second."""
    train, dev = read_corpus(train), read_corpus(dev)
    arguments = TrainingArguments(
        "checkpoints",
        num_train_epochs=5,
        learning_rate=2e-4,
        save_strategy="no",
        report_to="none",
    )
    if what == "texts":
        kind = "person" if "person" in train.types else train.types[0]
        trainer = texts(encoder, train, dev, kind, arguments)
    else:
        trainer = tokens(encoder, train, dev, train.types, arguments)
    trainer.train()
    print(f"dev accuracy {trainer.evaluate()['eval_accuracy']:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
