# An encoder of his own in the loop. Prints: epoch 2: loss .*; dev F1 [01]\.\d{4}
import plain_loop
from torch import nn


class Mine(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.words = nn.Embedding(words, 128)

    def forward(self, ids, mask):
        return self.words(ids)


plain_loop.Encoder = Mine
plain_loop.main("train.jsonl", "dev.jsonl", epochs=2)
