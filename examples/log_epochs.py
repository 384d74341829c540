"""Curves of a run in TensorBoard or Weights & Biases, from `fit(on_epoch=...)`.

    python log_epochs.py tensorboard                    # the toy corpus
    python log_epochs.py wandb TRAIN.conll DEV.conll    # yours

Then `tensorboard --logdir board`, or `wandb sync wandb/offline-run-*`, until
when nothing has left your machine. A listener is a function of the `History` so
far. The last of its rows has epoch, loss, task, divergence, precision, recall,
f1, dev_loss and seconds; a value is None where there was nothing to measure, as
a divergence where there is one view.
"""

import sys

from gpkl_lib import Tagger, fit
from gpkl_lib.corpora import read_corpus
from gpkl_lib.training import TrainingConfig


def tensorboard(folder="board"):
    """A listener that draws each number of an epoch as a curve."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(folder)

    def listen(history):
        for name, value in history.rows[-1].items():
            if value is not None:
                writer.add_scalar(name, value, history.rows[-1]["epoch"])
        writer.flush()

    return listen


def wandb(mode="offline"):
    """A listener that logs each epoch; mode="online" sends it at once."""
    import wandb

    run = wandb.init(project="spans", mode=mode)
    return lambda history: run.log(history.rows[-1])


def main(to="tensorboard", train="toy:train", dev="toy:dev", epochs=5):
    """Train with a listener."""
    train, dev = read_corpus(train), read_corpus(dev)
    tagger = Tagger.from_scratch(train.sentences, train.types)
    config = TrainingConfig(method="sigmoid", alpha=0.4, epochs=epochs)
    listener = {"tensorboard": tensorboard, "wandb": wandb}[to]()
    best = fit(tagger, train, dev, config=config, on_epoch=listener).best
    print(f"best epoch {best['epoch']}, dev F1 {best['f1']:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
