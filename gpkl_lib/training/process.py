"""One process of a training run: its device, its share of the work, the optimiser. Accelerate knows where it runs."""

from __future__ import annotations

import hashlib
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from gpkl_lib._optional import optional
from gpkl_lib.consistency import ConsistencyLoss
from gpkl_lib.corpora import Batch
from gpkl_lib.tagger import Tagger
from gpkl_lib.training.batching import Example
from gpkl_lib.training.config import TrainingConfig

ASKED_FOR_SEVERAL = {"ACCELERATE_USE_CPU", "MASTER_ADDR"}  # what accelerate launch sets where it starts no group itself


@contextmanager
def accelerator(device: str) -> Iterator[Any]:
    """An `accelerate.Accelerator` on "auto", "cpu", "cuda" or "mps"; then Accelerate and torch's seeds are as before.

    Under `torchrun` or `accelerate launch` it joins the other processes; alone it is a group of one. A UserWarning says
    where a launcher was asked for several and has started one.

    Raises:
        ModuleNotFoundError: accelerate is missing; the message names the extra.
        ValueError: the device is not there.
    """
    accelerate = optional("accelerate", "train", "training")
    present = {"auto": True, "cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present[device]:
        raise ValueError(f'device {device!r} is not there; use "auto" to take what there is')
    foreign = bool(accelerate.state.PartialState._shared_state)  # the caller's own: leave it alone
    made = accelerate.Accelerator(cpu=device == "cpu", mixed_precision="no")
    if made.num_processes == 1 and os.environ.keys() >= ASKED_FOR_SEVERAL and "WORLD_SIZE" not in os.environ:
        warnings.warn(
            "accelerate launch was asked for several processes and has started this one alone, as it does on a CPU; "
            "torchrun --nproc-per-node N or accelerate launch --multi_gpu --num_processes N start them there too",
            stacklevel=4,
        )
    try:
        if device not in ("auto", made.device.type):
            raise ValueError(f"device {device!r} was asked for, but Accelerate has already chosen {made.device.type!r}")
        with torch.random.fork_rng([made.device] if made.device.type == "cuda" else []):
            yield made
    finally:
        if not foreign:
            accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
            accelerate.state.GradientState._reset_state()


class Process:
    """The tagger on its device, wrapped for several processes if there are several, and the optimiser.

    Args:
        accelerator: of this process.
        tagger: moved to the device, in place.
        config: gives learning rates, weight decay, gradient clipping and precision.
    """

    def __init__(self, accelerator: Any, tagger: Tagger, config: TrainingConfig) -> None:
        self.accelerator, self.tagger = accelerator, tagger.to(accelerator.device)
        self.device: torch.device = accelerator.device
        self.rank, self.count = int(accelerator.process_index), int(accelerator.num_processes)
        self.is_main = self.rank == 0
        self.bf16 = config.mixed_precision == "bf16" or (
            config.mixed_precision == "auto"
            and self.device.type == "cuda"
            and torch.cuda.is_bf16_supported(including_emulation=False)
        )
        self.gradient_clip = math.inf if config.gradient_clip is None else config.gradient_clip
        groups = _parameter_groups(tagger, config)
        self.rates = [group["lr"] for group in groups]
        self.adamw = torch.optim.AdamW(groups, fused=self.device.type in ("cpu", "cuda"))
        self.model, self.optimizer = accelerator.prepare(_Dispatch(tagger), self.adamw)

    def __call__(self, batch: Batch, embeddings: Tensor | None = None) -> Tensor:
        """The logits of a training step, in mixed precision if configured; see `Tagger.forward`.

        The batch itself goes through the wrapped tagger, once a step, which readies it to share gradients. Embeddings
        go through the tagger as it is: what is shared are the gradients of the weights, wherever they come from, and
        the passes in search of a direction give the weights none.
        """
        with self._precision():
            logits: Tensor = self.model(None, batch) if embeddings is None else self.tagger(batch, embeddings)
        return logits

    def project(self, batch: Batch, embeddings: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The queries and keys of a training step, as above; see `Tagger.project`."""
        with self._precision():
            found: tuple[Tensor, Tensor]
            found = self.model("project", batch) if embeddings is None else self.tagger.project(batch, embeddings)
        return found

    def tiled_loss(self, batch: Batch, **options: Any) -> ConsistencyLoss:
        """The loss of a training step in tiles, through the wrapped tagger as well; see `Tagger.tiled_loss`."""
        with self._precision():
            loss: ConsistencyLoss = self.model("tiled_loss", batch, **options)
        return loss

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the encoder's layers get; see `Tagger.embed`."""
        return self.tagger.embed(batch)

    def _precision(self) -> Any:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def wait(self) -> None:
        """Wait until every process has come here."""
        self.accelerator.wait_for_everyone()

    def share(self, group: Sequence[Example]) -> tuple[Sequence[Example], float]:
        """The examples of a batch for this process, and their weight: the mean over processes is then the batch's.

        A process that gets none takes one with weight 0, for all have to take part in each step.
        """
        own = group[self.rank :: self.count]
        return own or group[:1], len(own) * self.count / len(group)

    def seed(self, *what: int) -> None:
        """Make what dropout draws next follow from `what` and the process alone: nothing random needs a checkpoint."""
        digest = hashlib.sha256(repr((*what, self.rank)).encode()).digest()
        number = int.from_bytes(digest[:6], "big")
        torch.default_generator.manual_seed(number)
        if self.device.type in ("cuda", "mps"):
            getattr(torch, self.device.type).manual_seed(number)

    def mean(self, values: Sequence[Tensor]) -> list[float]:
        """The means of scalars over the processes."""
        if self.count == 1:
            return [float(value.detach().float()) for value in values]
        stacked = torch.stack([value.detach().float() for value in values])
        return self.accelerator.reduce(stacked, "mean").tolist()  # type: ignore[no-any-return]

    def sum(self, counts: Tensor) -> Tensor:
        """The sums of integers over the processes."""
        return self.accelerator.reduce(counts.to(self.device), "sum").cpu()  # type: ignore[no-any-return]

    def lost(self, error: RuntimeError) -> bool:
        """Whether the error is that another process is gone: gloo has no type of error of its own."""
        return self.count > 1 and (isinstance(error, torch.distributed.DistError) or "gloo" in str(error))

    def any(self, answer: bool) -> bool:
        """Whether any process has answered yes: all of them then go the same way."""
        return bool(self.sum(torch.tensor(int(answer))))

    def backward(self, loss: Tensor) -> float:
        """Compute the gradients of `loss` and clip them; their norm before clipping, the same in every process."""
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        return float(self.accelerator.clip_grad_norm_(self.model.parameters(), self.gradient_clip))

    def step(self, rate: float) -> None:
        """Take one step of the optimiser, with `rate` times each group's learning rate."""
        for group, full in zip(self.adamw.param_groups, self.rates, strict=True):
            group["lr"] = full * rate
        self.optimizer.step()

    def tensors(self) -> dict[str, Tensor]:
        """The weights and the optimiser's state by name, for a checkpoint."""
        tensors = {f"model.{name}": tensor for name, tensor in self.tagger.state_dict().items()}
        for index, state in self.adamw.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in state.items()}
        return tensors

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Restore weights and optimiser state from what `tensors` gave."""
        model = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
        self.tagger.load_state_dict(model)
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".")
                state.setdefault(int(index), {})[key] = tensor
        self.adamw.load_state_dict({"state": state, "param_groups": self.adamw.state_dict()["param_groups"]})


class _Dispatch(nn.Module):
    """A tagger whose methods are called through `forward`, the one door that a wrapper for several processes knows."""

    def __init__(self, tagger: Tagger) -> None:
        super().__init__()
        self.tagger = tagger

    def forward(self, method: str | None, *inputs: Any, **options: Any) -> Any:
        called: Any = self.tagger if method is None else getattr(self.tagger, method)
        return called(*inputs, **options)


def _parameter_groups(tagger: Tagger, config: TrainingConfig) -> list[dict[str, Any]]:
    """Pretrained and new weights with their learning rates; vectors (biases, norms) without weight decay."""
    groups = []
    for weights, rate in zip(
        tagger.parameter_groups(), (config.encoder_learning_rate, config.learning_rate), strict=True
    ):
        for decay, chosen in (
            (config.weight_decay, [w for w in weights if w.ndim > 1]),
            (0.0, [w for w in weights if w.ndim < 2]),
        ):
            if chosen:
                groups.append({"params": chosen, "lr": rate, "weight_decay": decay})
    return groups
