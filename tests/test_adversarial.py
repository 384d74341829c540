"""Virtual adversarial training: against the curvature's eigenvector, the paper's loss, and what it leaves alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical, kl_divergence

from gpkl_lib import virtual_adversarial_loss as general_loss

loss_of = partial(general_loss, activation="sigmoid")


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def seeded(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Recorder:
    """A forward function that remembers where it was called."""

    def __init__(self, forward: Callable[[Tensor], Tensor]) -> None:
        self.forward, self.at, self.noise = forward, list[Tensor](), list[Tensor]()

    def __call__(self, x: Tensor) -> Tensor:
        self.at.append(x.detach().clone())
        self.noise.append(torch.get_rng_state())
        return self.forward(x)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(("dtype", "cosine"), [(torch.float64, 1 - 1e-4), (torch.float32, 1 - 1e-2)])
def test_power_iteration_finds_the_direction_of_largest_curvature(
    activation: str, symmetric: bool, dtype: torch.dtype, cosine: float
) -> None:
    """For logits W x the curvature of D at r = 0 is W' F W, F the Fisher matrix: one eigenvector for each row."""
    weight, x = draw(4, 6), draw(3, 6, seed=1)
    forward = Recorder(lambda at: at @ weight.T.to(at.dtype))
    general_loss(
        forward,
        x.to(dtype),
        epsilon=2.0,
        steps=60,
        activation=activation,  # type: ignore[arg-type]
        symmetric=symmetric,
        generator=seeded(),
    )
    moved = forward.at[-1].double() - x
    for row in range(3):
        logits = weight @ x[row]
        p = torch.softmax(logits, 0) if activation == "softmax" else torch.sigmoid(logits)
        fisher = torch.diag(p) - torch.outer(p, p) if activation == "softmax" else torch.diag(p * (1 - p))
        worst = torch.linalg.eigh(weight.T @ fisher @ weight).eigenvectors[:, -1]
        assert abs(moved[row] @ worst) / 2.0 > cosine
        assert moved[row].norm().item() == pytest.approx(2.0, rel=1e-6)
    assert len(forward.at) == 62
    assert torch.equal(forward.at[0], x.to(dtype))


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_loss_and_gradient_are_the_paper_s_with_the_clean_side_fixed(activation: str) -> None:
    model = nn.Linear(6, 4).double()
    x = draw(5, 6, seed=1).requires_grad_()
    forward = Recorder(model)
    loss = general_loss(
        forward,
        x,
        epsilon=0.7,
        activation=activation,  # type: ignore[arg-type]
        symmetric=False,
        generator=seeded(),
    )
    clean, moved = model(x).detach(), model(x + (forward.at[-1] - x.detach()))
    kind = Bernoulli if activation == "sigmoid" else Categorical
    wanted = kl_divergence(kind(logits=clean), kind(logits=moved)).sum() / 5
    torch.testing.assert_close(loss, wanted)
    leaves = [x, *model.parameters()]
    for ours, theirs in zip(torch.autograd.grad(loss, leaves), torch.autograd.grad(wanted, leaves), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_symmetric_is_both_ways() -> None:
    model, x = nn.Linear(6, 4).double(), draw(5, 6, seed=1)
    forward = Recorder(model)
    loss = loss_of(forward, x, epsilon=0.7, steps=2, generator=seeded())
    clean, moved = (Bernoulli(logits=model(at)) for at in (x, forward.at[-1]))
    torch.testing.assert_close(loss, (kl_divergence(clean, moved) + kl_divergence(moved, clean)).sum() / 5)


def test_one_step_moves_further_than_a_random_direction() -> None:
    model, x = nn.Sequential(nn.Linear(50, 30), nn.Tanh(), nn.Linear(30, 8)).double(), draw(4, 50, seed=1)
    clean = model(x).detach()
    random = draw(4, 50, seed=2)
    random = random / random.norm(dim=-1, keepdim=True)
    moved = Bernoulli(logits=model(x + random))
    by_chance = sum(
        kl_divergence(a, b).sum() for a, b in ((Bernoulli(logits=clean), moved), (moved, Bernoulli(logits=clean)))
    )
    found = loss_of(model, x, epsilon=1.0, reduction="sum", generator=seeded())
    assert found > 2 * by_chance


class Noisy(nn.Module):
    """Dropout, batch norm, and gradients that somebody has collected already."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 32), nn.BatchNorm1d(32), nn.Dropout(0.5), nn.Linear(32, 4))
        self.layers.double()
        for parameter in self.parameters():
            parameter.grad = torch.ones_like(parameter)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layers(x)
        return found


def test_buffers_behind_a_lambda_are_not_known_as_the_docstring_says() -> None:
    model = Noisy()
    before = {name: value.clone() for name, value in model.named_buffers()}
    loss_of(lambda x: model(x), draw(8, 6), epsilon=1.0, generator=seeded())
    changed = {name for name, value in model.named_buffers() if not torch.equal(value, before[name])}
    assert changed == before.keys()


@pytest.mark.parametrize("bound", [False, True])
def test_it_leaves_gradients_parameters_buffers_and_random_state_alone(bound: bool) -> None:
    model = Noisy()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    noise = torch.get_rng_state()
    forward = model.forward if bound else model
    loss = loss_of(forward, draw(8, 6), epsilon=1.0, steps=3, generator=seeded())
    assert torch.equal(torch.get_rng_state(), noise)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert (parameter.grad == 1).all()
    loss.backward()  # batch norm's saved statistics are still good
    assert any((parameter.grad != 1).any() for parameter in model.parameters() if parameter.grad is not None)
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters() if parameter.grad is not None)


def test_without_a_generator_only_the_draw_of_the_direction_moves_the_random_state() -> None:
    model, x = Noisy(), draw(8, 6)
    torch.manual_seed(3)
    first = loss_of(model, x, epsilon=1.0)
    after = torch.get_rng_state()
    torch.manual_seed(3)
    torch.randn(x.shape, dtype=x.dtype)
    assert torch.equal(torch.get_rng_state(), after)
    assert loss_of(model, x, epsilon=1.0) != first


def test_dropout_is_held() -> None:
    """With another mask on each side the loss would not vanish with epsilon."""
    model, x = Noisy(), draw(8, 6)
    losses = [loss_of(model, x, epsilon=e, generator=seeded()).item() for e in (1e-3, 1e-6)]
    assert losses[0] < 1e-4
    assert losses[1] == pytest.approx(losses[0] * 1e-6, rel=0.05)
    forward = Recorder(model)
    loss_of(forward, x, epsilon=1.0, steps=2)
    assert len(forward.noise) == 4
    assert all(torch.equal(state, forward.noise[0]) for state in forward.noise)


def test_padding_is_not_moved_and_what_it_holds_does_not_matter() -> None:
    weight = draw(5, 3)
    lengths = torch.tensor([4, 2, 0])
    valid = torch.arange(4) < lengths[:, None]
    x = draw(3, 4, 5, seed=1)
    found = []
    for garbage in (0.0, 1e6):
        forward = Recorder(lambda at: (at.masked_fill(~valid[..., None], 0)) @ weight)
        filled = x.masked_fill(~valid[..., None], garbage)
        loss = loss_of(
            forward, filled, epsilon=1.5, class_dims=2, mask=valid[..., None], embedding_mask=valid, generator=seeded()
        )
        moved = forward.at[-1] - filled
        assert (moved[~valid] == 0).all()
        assert moved.flatten(1).norm(dim=-1).tolist() == pytest.approx([1.5, 1.5, 0.0], abs=1e-6)
        found.append(loss.item())
    assert found[0] == found[1] > 0


def test_padding_stays_even_where_a_model_lets_it_matter() -> None:
    valid = torch.tensor([[True, True, False], [True, False, False]])
    x, weight = draw(2, 3, 5, seed=1), draw(5, 3)
    forward = Recorder(lambda at: at.mean(1) @ weight)
    loss_of(forward, x, epsilon=1.5, steps=2, embedding_mask=valid, generator=seeded())
    assert len(forward.at) == 4
    assert all(torch.equal(at[~valid], x[~valid]) for at in forward.at)
    assert (forward.at[-1] - x).flatten(1).norm(dim=-1).tolist() == pytest.approx([1.5, 1.5])


def test_a_model_that_does_not_react_costs_nothing() -> None:
    x = draw(3, 4).requires_grad_()
    loss = loss_of(lambda at: 0 * at + 7, x, epsilon=1.0)
    assert loss == 0
    (gradient,) = torch.autograd.grad(loss, x)
    assert (gradient == 0).all()


def test_half_precision_under_autocast() -> None:
    model, x = nn.Linear(6, 4), draw(5, 6, dtype=torch.float32)
    exact = loss_of(model, x, epsilon=1.0, generator=seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = loss_of(model, x, epsilon=1.0, xi=0.3, generator=seeded())
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=0.3)
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())


def test_gradients_add_up_over_several_calls() -> None:
    """Under gradient accumulation: two backward passes give the sum of the two gradients."""
    model, x = nn.Linear(6, 4).double(), draw(8, 6)
    parts = []
    for half in (x[:4], x[4:]):
        loss = loss_of(model, half, epsilon=1.0, reduction="sum", generator=seeded())
        parts.append(torch.autograd.grad(loss, list(model.parameters()), retain_graph=True))
        loss.backward()
    for parameter, one, two in zip(model.parameters(), *parts, strict=True):
        torch.testing.assert_close(parameter.grad, one + two)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilon": 0.0}, "epsilon must be positive and finite, got 0.0"),
        ({"epsilon": math.inf}, "epsilon must be positive and finite, got inf"),
        ({"xi": -1.0}, "xi must be positive"),
        ({"steps": 0}, "steps must be positive and finite, got 0"),
        ({"reduction": "none"}, 'reduction "none" has no scalar loss'),
        (
            {"embedding_mask": torch.ones(3, 9, dtype=torch.bool)},
            r"embedding_mask must have shape \(3, 4\), got \(3, 9\)",
        ),
        ({"activation": "tanh"}, "activation must be"),
    ],
)
def test_wrong_arguments_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss_of(lambda at: at, draw(3, 4), **({"epsilon": 1.0} | change))  # type: ignore[arg-type]
    for forward in (lambda at: at.detach(), lambda at: nn.Parameter(torch.ones(3, 4)) + at.detach()):
        with pytest.raises(ValueError, match="forward must use the embeddings that it is given"):
            loss_of(forward, draw(3, 4), epsilon=1.0)
    with pytest.raises(TypeError, match="steps must be a number, got str"):
        loss_of(lambda at: at, draw(3, 4), epsilon=1.0, steps="2")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"missing .* 'activation'"):
        general_loss(lambda at: at, draw(3, 4), epsilon=1.0)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"class_dims must be given for input of shape \(3, 4, 5\)"):
        loss_of(lambda at: at, draw(3, 4, 5), epsilon=1.0)
    with pytest.raises(TypeError, match="embeddings must be floating point"):
        loss_of(lambda at: at, torch.ones(2, 3, dtype=torch.long), epsilon=1.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_embeddings_that_are_not_finite_are_named(value: float) -> None:
    x, mask = draw(3, 4, 2), torch.ones(3, 4, dtype=torch.bool)
    x[1, 2, 0] = value
    mean = partial(loss_of, lambda at: at.nan_to_num(0, 0, 0).mean(1), epsilon=1.0, generator=seeded())
    with pytest.raises(ValueError, match="embeddings hold NaN or an infinity"):
        mean(x, embedding_mask=mask)
    mask[1, 2] = False  # on padding they do not matter
    assert mean(x, embedding_mask=mask).isfinite()
