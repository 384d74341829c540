"""Virtual adversarial training: the small change of the embeddings that moves the model's decisions most, held against.

For embeddings x, r_adv = epsilon * d, where the unit vector d is what power iteration finds for the divergence's
curvature at r = 0 (the divergence itself and its gradient vanish there), and the loss is D(f(x), f(x + r_adv)).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from gpkl_lib._checks import Reduction, check_class_dims, check_floating, check_number
from gpkl_lib.divergence import Activation, kl_divergence, symmetric_kl

Output = TypeVar("Output")


def virtual_adversarial_loss(
    forward: Callable[[Tensor], Tensor],
    embeddings: Tensor,
    *,
    epsilon: float,
    activation: Activation,
    xi: float = 0.01,
    steps: int = 1,
    class_dims: int | None = None,
    mask: Tensor | None = None,
    embedding_mask: Tensor | None = None,
    temperature: float = 1.0,
    symmetric: bool = True,
    reduction: Reduction = "rowmean",
    generator: torch.Generator | None = None,
) -> Tensor:
    """D between the logits at x, which are detached, and at x + r_adv, a mean over rows; its gradient is the latter's.

    `forward` is called steps + 2 times, each time with the same dropout mask (without that, the direction would follow
    the noise of dropout). Nothing else is touched: no `.grad`, no parameter, no random state but for the draw of the
    first direction where `generator` is None. Where `forward` is a module or a method of one its buffers, batch-norm
    statistics among them, are put back as well; those behind a lambda or a partial are not known here, and change.

    It takes gradients of its own by autograd: torch.no_grad() is no hindrance, but torch.inference_mode() and the
    transforms of torch.func are. Rows do not see each other, so give all of them at once in place of torch.func.vmap.

    Args:
        forward: from embeddings to logits: a module, a method of one, or any function. Rows first in both.
        embeddings: x of shape (B, ...); detach them where the embedding layer itself should not learn from this loss.
        epsilon: length of r_adv for each row, over all its entries; positive, in the units of the embeddings.
        activation, mask, temperature, reduction: those of `symmetric_kl`, for the logits; activation has no default.
        xi: length of the step at which the curvature is felt. Too small drowns in rounding (below 1e-4 in float32).
        steps: power iterations; each costs a forward and a backward pass.
        class_dims: that of `symmetric_kl`; may be left out for logits (rows, classes) alone.
        embedding_mask: boolean, True = valid, (B, L) for x of shape (B, L, E): padding is not moved.
        symmetric: False gives KL(f(x) || f(x + r)), the paper's, with activation "sigmoid" or "softmax".
        generator: for the first direction; None for torch's own.

    Returns:
        A scalar, nats.

    Raises:
        RuntimeError: called in torch.inference_mode().
        TypeError: epsilon, xi or steps no number; else as `symmetric_kl`.
        ValueError: epsilon, xi or steps not positive, embeddings not finite (on padding they may be), an embedding_mask
            of another shape, reduction "none", logits that do not depend on the embeddings, class_dims left out for
            logits of more than two dimensions; else as `symmetric_kl`.

    Example:
        >>> model, x = torch.nn.Linear(4, 3), torch.randn(2, 4)
        >>> loss = virtual_adversarial_loss(model, x, epsilon=0.1, activation="softmax")
        >>> loss.backward()
        >>> model.weight.grad.shape
        torch.Size([3, 4])

    Source: Miyato et al. 2019, algorithm 1, section 3.3; embeddings instead of inputs as in Miyato et al. 2017.
    """
    if reduction == "none":
        raise ValueError('reduction "none" has no scalar loss; use "rowmean", "sum", "mean" or "batchmean"')

    def divergence(clean: Tensor, moved: Tensor, reduction: Reduction) -> Tensor:
        between: Callable[..., Tensor] = symmetric_kl if symmetric else kl_divergence
        return between(
            clean,
            moved,
            activation=activation,
            class_dims=check_class_dims(clean, class_dims, per_row=True),
            mask=mask,
            temperature=temperature,
            reduction=reduction,
        )

    return adversarial_divergence(
        forward,
        partial(divergence, reduction=reduction),
        embeddings,
        epsilon=epsilon,
        xi=xi,
        steps=steps,
        embedding_mask=embedding_mask,
        generator=generator,
        search=partial(divergence, reduction="sum"),
    )


def adversarial_divergence(
    forward: Callable[[Tensor], Output],
    divergence: Callable[[Output, Output], Tensor],
    embeddings: Tensor,
    *,
    epsilon: float,
    xi: float = 0.01,
    steps: int = 1,
    embedding_mask: Tensor | None = None,
    generator: torch.Generator | None = None,
    search: Callable[[Output, Output], Tensor] | None = None,
) -> Tensor:
    """`virtual_adversarial_loss` with any divergence of any outputs: queries and keys, say, in place of logits.

    Args:
        forward: from embeddings to an output: a tensor, or several.
        divergence: a scalar of the outputs at x, which have no gradient, and at x + r. It is a sum or a mean over rows
            of terms of their own: a row that leans on another would move it.
        embeddings, epsilon, xi, steps, embedding_mask, generator: those of `virtual_adversarial_loss`.
        search: what the direction is to make large, where that is not `divergence`.

    Returns:
        `divergence` at x and x + r_adv.

    Raises:
        As `virtual_adversarial_loss`.

    Source: Miyato et al. 2019, algorithm 1.
    """
    check_floating("embeddings", embeddings)
    for name, value in (("epsilon", epsilon), ("xi", xi), ("steps", steps)):
        check_number(name, value)
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be positive and finite, got {value}")
    if torch.is_inference_mode_enabled():
        raise RuntimeError(
            "virtual_adversarial_loss follows a gradient, which torch.inference_mode() does not record; "
            "torch.no_grad() does not disturb it"
        )
    keep, search = _moved(embeddings, embedding_mask), search or divergence
    at = embeddings.detach()
    if not at.isfinite().logical_or(keep == 0).all():
        raise ValueError("embeddings hold NaN or an infinity; the model has diverged or a mask is missing")
    start = torch.randn(at.shape, generator=generator, device=at.device, dtype=at.dtype)
    direction = _unit(start * keep)
    with _unchanged(forward, at.device) as same_noise:
        same_noise()
        with torch.no_grad():
            clean = forward(at)
        # Older torch: autocast hands the weights that it cast here, without their gradient, to what follows.
        torch.clear_autocast_cache()
        for _ in range(steps):
            step = (xi * direction).requires_grad_()
            same_noise()
            with torch.enable_grad():
                away = search(clean, forward(at + step))
            (gradient,) = torch.autograd.grad(away, step, allow_unused=True) if away.requires_grad else (None,)
            if gradient is None:
                raise ValueError("forward must use the embeddings that it is given, and not detach what comes of them")
            direction = _unit(gradient * keep)
        same_noise()
        return divergence(clean, forward(embeddings + epsilon * direction))


def _moved(embeddings: Tensor, embedding_mask: Tensor | None) -> Tensor:
    """Factor on a change of the embeddings: 1 where they may move, 0 on padding; it broadcasts to them."""
    if embedding_mask is None:
        return torch.ones((), dtype=embeddings.dtype, device=embeddings.device)
    wanted = embeddings.shape[: embedding_mask.ndim]
    if embedding_mask.shape != wanted:
        raise ValueError(f"embedding_mask must have shape {tuple(wanted)}, got {tuple(embedding_mask.shape)}")
    places = embedding_mask.view(*wanted, *[1] * (embeddings.ndim - embedding_mask.ndim))
    return places.to(embeddings.dtype)


def _unit(x: Tensor) -> Tensor:
    """Rows divided by their length, which is taken over all their entries; a row of zeros stays."""
    rows = x.flatten(1)
    tiny = torch.finfo(x.dtype).tiny
    # by the largest entry first: the gradient at a step of 0.01 may be 1e-30, and its square would be 0
    rows = rows / rows.abs().amax(-1, keepdim=True).clamp(min=tiny)
    unit: Tensor = rows / rows.norm(dim=-1, keepdim=True).clamp(min=1)
    return unit.view_as(x)


@contextmanager
def _unchanged(forward: Callable[[Tensor], Any], device: torch.device) -> Iterator[Callable[[], None]]:
    """Put buffers and random state back afterwards; inside, calling what this gives starts the same noise again."""
    owner = forward if isinstance(forward, nn.Module) else getattr(forward, "__self__", None)
    buffers = list(owner.buffers()) if isinstance(owner, nn.Module) else []
    kept = [buffer.clone() for buffer in buffers]
    devices = [device] if device.type != "cpu" else []
    with torch.random.fork_rng(devices=devices, device_type=device.type if devices else "cuda"):
        noise = torch.get_rng_state()
        other = [torch.get_device_module(one).get_rng_state(one) for one in devices]

        def same_noise() -> None:
            torch.set_rng_state(noise)
            for one, state in zip(devices, other, strict=True):
                torch.get_device_module(one).set_rng_state(state, one)

        try:
            yield same_noise
        finally:
            for buffer, value in zip(buffers, kept, strict=True):
                buffer.data.copy_(value)  # past autograd, which would take it for a change of what it saved
