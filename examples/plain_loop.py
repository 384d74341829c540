"""R-Drop on GlobalPointer in a plain PyTorch loop, around your own encoder.

    python plain_loop.py                          # the built-in toy corpus
    python plain_loop.py TRAIN.conll DEV.conll    # yours, in any known form

Prints the parts of the loss and the span F1 on dev, epoch by epoch; on the toy
corpus F1 is 0.01 after the second and past 0.6 after the twelfth. `Encoder` and
`pad` stand for what you have already; `main` is the loop, in which the lines
with `doubled` and with `global_pointer_rdrop_loss` are what R-Drop takes.
"""

import sys

import torch
from torch import nn
from torch.nn.utils import rnn

from gpkl_lib import (
    GlobalPointer,
    decode_spans,
    doubled,
    global_pointer_rdrop_loss,
    span_scores,
)
from gpkl_lib.corpora import batches, read_corpus


class Encoder(nn.Module):
    """Word numbers (B, L) -> states (B, L, size), under dropout."""

    def __init__(self, words, size=128):
        super().__init__()
        self.words = nn.Embedding(words, size, padding_idx=0)
        self.lstm = nn.LSTM(
            size, size // 2, batch_first=True, bidirectional=True
        )
        self.dropout = nn.Dropout(0.3)

    def forward(self, ids, mask):
        """mask: (B, L), 1 for a word and 0 for padding."""
        options = {"batch_first": True, "enforce_sorted": False}
        words, lengths = self.dropout(self.words(ids)), mask.sum(1).cpu()
        packed = rnn.pack_padded_sequence(words, lengths, **options)
        states, _ = rnn.pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True
        )
        return self.dropout(states)


def pad(sentences, numbers):
    """Word numbers (1 for an unknown word) and a mask, each (B, L)."""
    rows = [[numbers.get(word, 1) for word in row.tokens] for row in sentences]
    ids = rnn.pad_sequence(
        [torch.tensor(row) for row in rows], batch_first=True
    )
    return ids, (ids > 0).long()


def main(train="toy:train", dev="toy:dev", epochs=12):
    """Train on the first file, and score on the second after each epoch."""
    train, dev = read_corpus(train), read_corpus(dev)
    words = sorted({word for row in train for word in row.tokens})
    numbers = {word: n for n, word in enumerate(words, 2)}
    encoder, types = Encoder(len(numbers) + 2), train.types
    head = GlobalPointer(hidden_size=128, num_types=len(types))
    weights = [*encoder.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=5e-3)
    for epoch in range(epochs):
        encoder.train()
        for sentences in batches(train.sentences, 16, epoch=epoch):
            ids, mask = pad(sentences, numbers)
            spans = [sentence.spans for sentence in sentences]
            ids, mask = (doubled(ids), doubled(mask))  # for two dropout views
            states = encoder(ids, mask)
            losses = global_pointer_rdrop_loss(
                states, spans, mask, types=types, head=head, alpha=0.4
            )
            optimizer.zero_grad()
            losses.loss.backward()
            optimizer.step()
        encoder.eval()  # no dropout, one view
        with torch.no_grad():
            ids, mask = pad(dev.sentences, numbers)
            found = decode_spans(head(encoder(ids, mask), mask), types, mask)
        f1 = span_scores(found, [sentence.spans for sentence in dev]).f1
        loss, task, divergence = (part.item() for part in losses)
        print(f"epoch {epoch + 1}: loss {loss:.3f}, task {task:.3f},", end=" ")
        print(f"divergence {divergence:.3f}; dev F1 {f1:.4f}")


if __name__ == "__main__":
    torch.manual_seed(0)
    main(*sys.argv[1:])
