"""R-Drop in Lightning: two steps around a `Tagger`, and span F1 in validation.

    python lightning_module.py                          # the toy corpus
    python lightning_module.py TRAIN.conll DEV.conll    # yours

The module logs loss, task and divergence of a step, and f1 of an epoch, so that
checkpoints and early stopping can go by it: `ModelCheckpoint(monitor="f1",
mode="max")`. The counts behind F1 add up over batches of any length. Prints the
last F1 and leaves the folder `tagger`.
"""

import sys

import lightning
import torch
from torch.utils.data import DataLoader

from gpkl_lib import (
    Tagger,
    decode_spans,
    global_pointer_rdrop_loss,
    span_scores,
)
from gpkl_lib.corpora import read_corpus


class SpanModule(lightning.LightningModule):
    """A tagger with the loss of R-Drop."""

    def __init__(self, tagger, alpha=0.4, rate=5e-3):
        super().__init__()
        self.tagger, self.alpha, self.rate = tagger, alpha, rate

    def collate(self, sentences):
        """A batch, and the gold spans of its sentences."""
        gold = [sentence.spans for sentence in sentences]
        return self.tagger.collate(sentences), gold

    def training_step(self, rows, _):
        """Both views in one pass."""
        batch, _ = rows
        twice = batch.doubled()
        logits, mask = self.tagger(twice), twice.attention_mask
        losses = global_pointer_rdrop_loss(
            logits, batch.positives, mask, alpha=self.alpha
        )
        self.log_dict(losses._asdict(), batch_size=len(batch))
        return losses.loss

    def on_validation_epoch_start(self):
        """No counts yet."""
        self.scores = span_scores([], [])

    def validation_step(self, rows, _):
        """Add the counts of a batch."""
        batch, gold = rows
        logits, mask = self.tagger(batch), batch.attention_mask
        found = decode_spans(logits, self.tagger.types, mask)
        self.scores += span_scores(found, gold)

    def on_validation_epoch_end(self):
        """F1 of all batches."""
        self.log("f1", self.scores.f1, prog_bar=True)

    def configure_optimizers(self):
        """AdamW of all weights."""
        return torch.optim.AdamW(self.parameters(), self.rate)


def main(train="toy:train", dev="toy:dev", epochs=8):
    """Train on the first file, validate on the second, and save the tagger."""
    train, dev = read_corpus(train), read_corpus(dev)
    module = SpanModule(Tagger.from_scratch(train.sentences, train.types))
    options = {"batch_size": 16, "collate_fn": module.collate}
    learn = DataLoader(train.sentences, shuffle=True, **options)
    validate = DataLoader(dev.sentences, **options)
    trainer = lightning.Trainer(
        max_epochs=epochs, logger=False, enable_checkpointing=False
    )
    trainer.fit(module, learn, validate)
    print(f"dev F1 {trainer.callback_metrics['f1']:.4f}")
    module.tagger.save("tagger")  # for Tagger.load, or gpkl predict


if __name__ == "__main__":
    lightning.seed_everything(0)
    main(*sys.argv[1:])
