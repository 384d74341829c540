"""R-Drop on GlobalPointer in a plain PyTorch loop, around an encoder of your own.

    python plain_loop.py                          # the built-in toy corpus
    python plain_loop.py TRAIN.conll DEV.conll    # yours, in any form that `gpkl convert --help` lists

Prints the parts of the loss and the span F1 on dev, epoch by epoch; on the toy corpus F1 leaves 0 in
the third and is past 0.6 in the twelfth. `Encoder` and `pad` stand for what you have already; `main` is
the loop, in which the lines with `doubled` and with `global_pointer_rdrop_loss` are what R-Drop takes.
"""

import sys

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from gpkl_lib import GlobalPointer, decode_spans, doubled, global_pointer_rdrop_loss, span_scores
from gpkl_lib.corpora import batches, read_corpus


class Encoder(nn.Module):
    """Numbers of words -> a state of each, under dropout: (B, L) -> (B, L, size)."""

    def __init__(self, words, size=128):
        super().__init__()
        self.embedding, self.dropout = nn.Embedding(words, size, padding_idx=0), nn.Dropout(0.3)
        self.lstm = nn.LSTM(size, size // 2, bidirectional=True, batch_first=True)

    def forward(self, input_ids, attention_mask):
        """attention_mask: (B, L), 1 for a word and 0 for padding."""
        embedded, lengths = self.dropout(self.embedding(input_ids)), attention_mask.sum(1).cpu()
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        return self.dropout(pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0])


def pad(sentences, numbers):
    """Word numbers (1 for an unknown word) and a mask, each (B, L)."""
    rows = [torch.tensor([numbers.get(word, 1) for word in sentence.tokens]) for sentence in sentences]
    ids = pad_sequence(rows, batch_first=True)
    return ids, (ids > 0).long()


def main(train="toy:train", dev="toy:dev", epochs=12):
    """Train on the first file, and score on the second after each epoch."""
    train, dev = read_corpus(train), read_corpus(dev)
    numbers = {word: n for n, word in enumerate(sorted({word for row in train for word in row.tokens}), 2)}
    encoder, head = Encoder(len(numbers) + 2), GlobalPointer(128, len(train.types))
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=5e-3)
    for epoch in range(epochs):
        encoder.train()
        for sentences in batches(train.sentences, 16, epoch=epoch):
            ids, mask = pad(sentences, numbers)
            twice, spans = doubled(mask), [sentence.spans for sentence in sentences]
            states = encoder(doubled(ids), twice)  # one pass, two dropout views of every sentence
            losses = global_pointer_rdrop_loss(states, spans, twice, types=train.types, head=head, alpha=0.4)
            optimizer.zero_grad()
            losses.loss.backward()
            optimizer.step()
        encoder.eval()  # one view, no dropout
        ids, mask = pad(dev.sentences, numbers)
        with torch.no_grad():
            found = decode_spans(head(encoder(ids, mask), mask), train.types, mask)
        scores = span_scores(found, [sentence.spans for sentence in dev])
        parts = ", ".join(f"{name} {value:.3f}" for name, value in losses._asdict().items())
        print(f"epoch {epoch + 1}: {parts}; dev F1 {scores.f1:.4f}")


if __name__ == "__main__":
    torch.manual_seed(0)
    main(*sys.argv[1:])
