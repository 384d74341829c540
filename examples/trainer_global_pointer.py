"""GlobalPointer and R-Drop on a `transformers` encoder, in a plain `Trainer`.

    model = SpanTagger(AutoModel.from_pretrained(name), types=2)
    trainer = Trainer(model, arguments, train_dataset=rows, data_collator=collate)

A row is {"input_ids": [...], "spans": [(type, first piece, last piece), ...]} with the
types numbered from 0; spans may nest. `arguments` need remove_unused_columns=False and,
for an evaluation during training, prediction_loss_only=True.
"""

import torch
from torch.nn.utils.rnn import pad_sequence

from gpkl_lib import GlobalPointer, rdrop_loss, span_mask
from gpkl_lib import sparse_multilabel_cross_entropy as sparse_cross_entropy
from gpkl_lib.consistency import doubled, two_views


class SpanTagger(torch.nn.Module):
    """An encoder and a GlobalPointer head, with the loss that Trainer expects of a model."""

    def __init__(self, encoder, types, alpha=0.1):
        """`types`: how many; `alpha`: weight of R-Drop."""
        super().__init__()
        self.encoder, self.alpha = encoder, alpha
        self.head = GlobalPointer(encoder.config.hidden_size, types, 64)

    def forward(self, input_ids, attention_mask, labels):
        """labels: the gold cells (row, type, first piece, last piece), int64 (P, 4)."""
        seen = doubled if self.training else lambda batch: batch
        attention = seen(attention_mask)
        output = self.encoder(seen(input_ids), attention_mask=attention)
        logits = self.head(output.last_hidden_state, attention)
        mask = span_mask(attention_mask.bool())

        def task_loss(view):
            view = view.view(len(input_ids), *logits.shape[1:])
            return sparse_cross_entropy(view, labels, class_dims=2, mask=mask)

        if not self.training:
            return {"loss": task_loss(logits), "logits": logits}
        views = two_views(logits)
        first, second = (view.flatten(0, 1) for view in views)  # (batch * types, L, L)
        cells = mask.expand(views[0].shape).flatten(0, 1)
        losses = rdrop_loss(first, second, task_loss, alpha=self.alpha, mask=cells)
        return {"loss": losses.loss}


def collate(rows):
    """Padded pieces, and the gold cells of all rows one after the other."""
    pieces = [torch.tensor(row["input_ids"]) for row in rows]
    cells = [(n, *span) for n, row in enumerate(rows) for span in row["spans"]]
    real = [torch.ones_like(row) for row in pieces]
    return {
        "input_ids": pad_sequence(pieces, batch_first=True),
        "attention_mask": pad_sequence(real, batch_first=True),
        "labels": torch.tensor(cells, dtype=torch.long).view(-1, 4),
    }
