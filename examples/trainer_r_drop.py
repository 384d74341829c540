"""R-Drop in a `transformers.Trainer`, for any classifier of tokens or of whole texts.

    trainer = RDropTrainer(model, arguments, train_dataset=rows, data_collator=collator,
                           compute_loss_func=functools.partial(r_drop, alpha=1.0))

Tokens without a tag (padding, later pieces of a word) have the label -100, as
`DataCollatorForTokenClassification` gives them. Trainer scales the loss as it does its
own, so gradient accumulation changes nothing. transformers 4.47 or newer.
"""

from torch import is_grad_enabled
from torch.nn.functional import cross_entropy
from transformers import Trainer

from gpkl_lib import doubled, rdrop_loss, two_views


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
