"""Coming from bert4torch: spans for label tensors, R-Drop's weight, a head.

    python from_bert4torch.py

Prints its loss and its R-Drop, written down here as they are defined, beside
the library's: equal, where alpha is divided by the number of classes.
`move_head(theirs.state_dict(), ...)` makes the head that scores as a trained
`bert4torch.layers.GlobalPointer` does.
"""

import torch
from torch.nn.functional import cross_entropy, log_softmax

from gpkl_lib import GlobalPointer, global_pointer_loss, rdrop_loss, two_views

TYPES = ["PER", "LOC"]


def documented_loss(y_pred, y_true):
    """MultilabelCategoricalCrossentropy of (rows, cells).

    log(1 + sum of e^s over the others) + log(1 + sum of e^-s over the gold).
    """
    others = y_pred.masked_fill(y_true == 1, -torch.inf).exp().sum(-1)
    gold = (-y_pred).masked_fill(y_true == 0, -torch.inf).exp().sum(-1)
    return (others.log1p() + gold.log1p()).mean()


def documented_rdrop(y_pred, y_true, alpha=4.0):
    """RDropLoss(alpha, rank="updown"): its KL is a mean over classes, too."""
    p, q = log_softmax(y_pred, -1).chunk(2)
    both = (p.exp() - q.exp()) * (p - q)  # KL(p || q) + KL(q || p), by class
    return cross_entropy(y_pred, y_true) + alpha / 4 * both.mean()


def move_head(weights, hidden_size, heads, head_size):
    """The head of a bert4torch.layers.GlobalPointer, by its state_dict()."""
    head = GlobalPointer(hidden_size, heads, head_size)
    for name in ("weight", "bias"):
        theirs = weights[f"dense.{name}"]  # query and key of each type in turn
        apart = theirs.unflatten(0, (heads, 2, head_size))
        ours = apart.transpose(0, 1).flatten(0, 2)  # all queries, all keys
        getattr(head.projection, name).data = ours.clone()
    return head


def main():
    """Their numbers and ours."""
    spans = [[("PER", 0, 2), ("LOC", 1, 2)], [("LOC", 0, 3)]]
    cells = [(0, 0, 0, 1), (0, 1, 1, 1), (1, 1, 0, 2)]  # of last tokens
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    logits = GlobalPointer(16, len(TYPES))(3 * torch.randn(2, 5, 16), mask)
    labels = torch.zeros_like(logits)
    labels[tuple(torch.tensor(cells).T)] = 1
    theirs = documented_loss(logits.view(4, 25), labels.view(4, 25))
    ours = global_pointer_loss(logits, spans, mask, types=TYPES)
    print(f"loss: bert4torch {theirs:.4f}, gpkl_lib {ours:.4f}")

    logits = torch.randn(6, 5)  # two views of three texts, five classes
    gold = torch.tensor([0, 3, 4])
    theirs = documented_rdrop(logits, gold.repeat(2), alpha=4.0)
    ours, _, _ = rdrop_loss(
        *two_views(logits),
        lambda view: cross_entropy(view, gold),
        alpha=4.0 / 5,
        activation="softmax",
    )
    print(f"R-Drop: bert4torch, alpha 4 {theirs:.4f}, gpkl_lib, 4/5 {ours:.4f}")


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
