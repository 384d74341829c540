"""R-Drop in a loop of Hugging Face Accelerate: many processes, any device.

    python accelerate_loop.py                             # the toy corpus
    accelerate launch accelerate_loop.py TRAIN DEV        # files of yours

What Accelerate asks of a model and of a loader, a `Tagger` and its `collate`
have. The model is called once a step, with both views, so that the gradients of
several processes are put together as always. Prints loss and dev F1 of each
epoch (past 0.7 on the toy corpus) and leaves the folder `tagger`.
"""

import sys

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader

from gpkl_lib import Tagger, global_pointer_rdrop_loss
from gpkl_lib.corpora import read_corpus
from gpkl_lib.training import evaluate


def main(train="toy:train", dev="toy:dev", epochs=8):
    """Train on the first file, and score on the second after each epoch."""
    train, dev = read_corpus(train), read_corpus(dev)
    tagger = Tagger.from_scratch(train.sentences, train.types)
    loader = DataLoader(
        train.sentences, batch_size=16, shuffle=True, collate_fn=tagger.collate
    )
    optimizer = torch.optim.AdamW(tagger.parameters(), lr=5e-3)
    accelerator = Accelerator()
    model, optimizer, loader = accelerator.prepare(tagger, optimizer, loader)
    for epoch in range(epochs):
        model.train()
        for batch in loader:
            twice = batch.doubled()
            loss, _, _ = global_pointer_rdrop_loss(
                model(twice), batch.positives, twice.attention_mask, alpha=0.4
            )
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
        f1 = evaluate(tagger, dev).f1
        accelerator.print(
            f"epoch {epoch + 1}: loss {loss:.3f}, dev F1 {f1:.4f}"
        )
    if accelerator.is_main_process:
        tagger.save("tagger")  # for Tagger.load, or gpkl predict


if __name__ == "__main__":
    torch.manual_seed(0)
    main(*sys.argv[1:])
