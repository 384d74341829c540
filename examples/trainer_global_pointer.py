"""GlobalPointer and R-Drop on a `transformers` encoder, in a plain `Trainer`.

    types = ["PER", "LOC"]
    model = SpanTagger(AutoModel.from_pretrained(name), types)
    trainer = Trainer(model, arguments, train_dataset=rows,
                      data_collator=functools.partial(collate, types=types))

A row is {"input_ids": [...], "spans": [(type, start, end), ...]}, a span the pieces from
`start` up to, not with, `end`; spans may nest. `arguments` need
remove_unused_columns=False and, for an evaluation during training,
prediction_loss_only=True.
"""

import torch
from torch.nn.utils.rnn import pad_sequence

from gpkl_lib import (
    GlobalPointer,
    doubled,
    global_pointer_loss,
    global_pointer_rdrop_loss,
    gold_cells,
)


class SpanTagger(torch.nn.Module):
    """An encoder and a GlobalPointer head, with the loss that Trainer expects of a model."""

    def __init__(self, encoder, types, alpha=0.1):
        """`types`: their names; `alpha`: weight of R-Drop."""
        super().__init__()
        self.encoder, self.alpha = encoder, alpha
        self.head = GlobalPointer(encoder.config.hidden_size, len(types), 64)

    def forward(self, input_ids, attention_mask, labels):
        """labels: the gold cells, as `collate` makes them."""
        if self.training:
            input_ids, attention_mask = doubled(input_ids), doubled(attention_mask)
        states = self.encoder(input_ids, attention_mask=attention_mask).last_hidden_state
        if self.training:
            losses = global_pointer_rdrop_loss(states, labels, attention_mask, alpha=self.alpha, head=self.head)
            return {"loss": losses.loss}
        logits = self.head(states, attention_mask)
        return {"loss": global_pointer_loss(logits, labels, attention_mask), "logits": logits}


def collate(rows, types):
    """Padded pieces, and the gold cells of all rows."""
    pieces = [torch.tensor(row["input_ids"]) for row in rows]
    return {
        "input_ids": pad_sequence(pieces, batch_first=True),
        "attention_mask": pad_sequence([torch.ones_like(row) for row in pieces], batch_first=True),
        "labels": gold_cells([row["spans"] for row in rows], types),
    }
