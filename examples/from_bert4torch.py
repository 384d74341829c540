"""Coming from bert4torch: spans in the place of label tensors, R-Drop's weight, and a trained head.

    python from_bert4torch.py

Prints its loss and its R-Drop, written down here as they are defined, beside the library's: equal,
where alpha is divided by the number of classes. `move_head(theirs.state_dict(), ...)` makes the head
that scores as a trained `bert4torch.layers.GlobalPointer` does.
"""

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from gpkl_lib import GlobalPointer, global_pointer_loss, rdrop_loss, two_views

TYPES = ["PER", "LOC"]


def documented_loss(y_pred, y_true):
    """MultilabelCategoricalCrossentropy: log(1 + sum over the others of e^s) + log(1 + sum over the gold of e^-s)."""
    others = y_pred.masked_fill(y_true == 1, -torch.inf).exp().sum(-1)
    gold = (-y_pred).masked_fill(y_true == 0, -torch.inf).exp().sum(-1)
    return (others.log1p() + gold.log1p()).mean()


def documented_rdrop(y_pred, y_true, alpha=4.0):
    """RDropLoss(alpha, rank="updown"): the mean of its KL terms goes over the classes too."""
    first, second = log_softmax(y_pred, -1).chunk(2)
    both = kl_div(first, second, log_target=True, reduction="none") + kl_div(
        second, first, log_target=True, reduction="none"
    )
    return cross_entropy(y_pred, y_true) + both.mean() / 4 * alpha


def move_head(weights, hidden_size, heads, head_size):
    """The head with the weights of a bert4torch.layers.GlobalPointer, whose state_dict() this is."""
    head = GlobalPointer(hidden_size, heads, head_size)
    for name in ("weight", "bias"):
        both = weights[f"dense.{name}"].unflatten(0, (heads, 2, head_size))  # query and key of each type, in turn
        getattr(head.projection, name).data = both.transpose(0, 1).flatten(0, 2).clone()  # all queries, all keys
    return head


def main():
    """Their numbers and ours."""
    spans = [[("PER", 0, 2), ("LOC", 1, 2)], [("LOC", 0, 3)]]
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    logits = GlobalPointer(16, len(TYPES))(3 * torch.randn(2, 5, 16), mask)
    labels = torch.zeros_like(logits)  # what `spans` are for bert4torch: (batch, heads, L, L), the last token inclusive
    for sentence, kind, start, end in [(0, 0, 0, 1), (0, 1, 1, 1), (1, 1, 0, 2)]:
        labels[sentence, kind, start, end] = 1
    theirs = documented_loss(logits.flatten(0, 1).flatten(1), labels.flatten(0, 1).flatten(1))
    ours = global_pointer_loss(logits, spans, mask, types=TYPES)
    print(f"loss: bert4torch {theirs:.4f}, gpkl_lib {ours:.4f}")

    logits, gold = torch.randn(6, 5), torch.tensor([0, 3, 4])  # two views of three texts, five classes
    theirs = documented_rdrop(logits, gold.repeat(2), alpha=4.0)
    ours = rdrop_loss(*two_views(logits), lambda view: cross_entropy(view, gold), alpha=4.0 / 5, activation="softmax")
    print(f"R-Drop: bert4torch with alpha 4 {theirs:.4f}, gpkl_lib with alpha 4 / 5 classes {ours.loss:.4f}")


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
