"""What each of two processes does: a run, a run that dies, and a step whose dropout masks are kept.

A launcher starts this file: two_ranks.py WHAT FOLDER.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from runs import DEV, QUICK, TRAIN, small_tagger, train
from torch import Tensor, nn

from gpkl_lib.corpora import Sentence
from gpkl_lib.tagger import Tagger
from gpkl_lib.training.batching import StepBatches
from gpkl_lib.training.loop import training_loss
from gpkl_lib.training.process import Process, accelerator

GROUP = TRAIN.sentences[:5]  # shares of three and two
R_DROP = replace(QUICK, alpha=4.0, gradient_clip=None)


def whole(output: Path | None, *, resume: bool = False) -> Tagger:
    """A run without dropout: batches of 7 and a last one of 6, dev in shares of 4 and 3."""
    config = replace(QUICK, batch_size=7)
    return train(output, config, dev=DEV[:7], resume=resume, dropout=0.0, word_dropout=0.0)[0]


@contextmanager
def dropout(masks: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Let `masks` say which entries every dropout keeps; it is given the input."""
    forward = nn.Dropout.forward
    nn.Dropout.forward = lambda self, x: x * masks(x) / (1 - self.p) if self.training else x  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Dropout.forward = forward  # type: ignore[method-assign]


def step(process: Process, sentences: Sequence[Sentence], *, tiled: bool) -> dict[str, object]:
    """A step of R-Drop on this process's share: losses, gradients, and what the encoder was shown."""
    seen: list[Tensor] = []
    process.tagger.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]["words"]))
    steps = StepBatches(process.tagger, TRAIN, R_DROP, None, None)
    share, weight = process.share(steps.examples(sentences, 0))
    batch, target = steps.collate(share, process.device, tiled)
    process.model.train()
    process.seed(0, 7)
    losses = training_loss(process, batch, R_DROP, 1.0, target, tiled=tiled)
    process.backward(losses.loss * weight)
    parts = process.mean([part * weight for part in losses])
    return {"parts": parts, "grads": [each.grad.clone() for each in process.tagger.parameters()], "seen": seen}


def kept_step(process: Process, *, tiled: bool) -> dict[str, object]:
    """`step`, and the masks of dropout that it drew."""
    masks: list[Tensor] = []

    def draw(x: Tensor) -> Tensor:
        masks.append(torch.rand(x.shape) > 0.4)
        return masks[-1]

    with dropout(draw):
        return step(process, GROUP, tiled=tiled) | {"masks": masks}


def main(what: str, folder: Path) -> None:
    """One of the two: it leaves rankN.pt in the folder."""
    loaded = [name for name in ("transformers", "matplotlib", "rich", "sympy") if name in sys.modules]
    assert not loaded, loaded
    rank = int(os.environ["RANK"])
    if what == "dies" and rank == 1:
        take, steps = Process.step, iter(range(100))

        def dying(self: Process, rate: float) -> None:
            if next(steps) == 4:  # in the middle of the second epoch
                os.kill(os.getpid(), signal.SIGKILL)
            take(self, rate)

        Process.step = dying  # type: ignore[method-assign]
    kept: dict[str, object] = {"weights": whole(folder / "run", resume=what == "goes-on").state_dict()}
    with accelerator("cpu") as accelerate:
        for tiled in (False, True):
            process = Process(accelerate, small_tagger(word_dropout=0.0), R_DROP)
            kept["tiled" if tiled else "dense"] = kept_step(process, tiled=tiled)
    torch.save(kept, folder / f"rank{rank}.pt")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
