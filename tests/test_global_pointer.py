"""The span heads, against a loop over spans and the properties that rotary position promises."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gpkl_lib import EfficientGlobalPointer, GlobalPointer, multilabel_cross_entropy, span_mask, symmetric_kl
from gpkl_lib.global_pointer import rotary_embedding

Head = Callable[..., nn.Module]
HEADS = [GlobalPointer, EfficientGlobalPointer]
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
either = pytest.mark.parametrize("head", HEADS)


def hidden(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def build(head: Head, hidden_size: int = 6, num_types: int = 3, head_size: int = 4, **options: bool) -> nn.Module:
    torch.manual_seed(0)
    return head(hidden_size, num_types, head_size, **options).double()


def rotated(x: Tensor, position: int) -> Tensor:
    """Feature pairs as complex numbers, turned by position * 10000^(-2k/d)."""
    d = len(x)
    z = torch.view_as_complex(x.view(d // 2, 2))
    angle = torch.tensor([position * 10000 ** (-2 * k / d) for k in range(d // 2)], dtype=torch.float64)
    return torch.view_as_real(z * torch.polar(torch.ones_like(angle), angle)).flatten()


# ---------------------------------------------------------------------------------------------------------------------
# Scores.


@pytest.mark.parametrize("rotary", [True, False])
@either
def test_scores_are_those_of_a_loop_over_spans(head: Head, rotary: bool) -> None:
    model = build(head, rotary=rotary)
    h = hidden(2, 5, 6)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    logits = model(h, mask)
    assert logits.shape == (2, 3, 5, 5)
    features = model.projection(h)
    for b in range(2):
        for kind in range(3):
            for i in range(5):
                for j in range(5):
                    if i > j or not mask[b, i] or not mask[b, j]:
                        assert logits[b, kind, i, j] == torch.finfo(torch.float64).min
                        continue
                    if head is GlobalPointer:  # queries of all types first, then keys
                        q, k = features[b, i, kind * 4 :][:4], features[b, j, 12 + kind * 4 :][:4]
                        bonus = 0.0
                    else:
                        q, k = features[b, i, :4], features[b, j, 4:]
                        bonus = model.typing(features[b, i])[kind] + model.typing(features[b, j])[3 + kind]
                    if rotary:
                        q, k = rotated(q, i), rotated(k, j)
                    torch.testing.assert_close(logits[b, kind, i, j], q @ k / math.sqrt(4) + bonus)


def test_rotary_position_rotates_each_pair_and_keeps_its_length() -> None:
    x = hidden(3, 7, 8)
    turned = rotary_embedding(x)
    torch.testing.assert_close(turned[:, 0], x[:, 0])
    torch.testing.assert_close(turned[2, 6], rotated(x[2, 6], 6))
    torch.testing.assert_close(turned.square().sum(-1), x.square().sum(-1))


def test_rotary_position_makes_products_depend_on_the_distance_alone() -> None:
    q, k = hidden(8, seed=1), hidden(8, seed=2)
    products = rotary_embedding(q.expand(40, 8)) @ rotary_embedding(k.expand(40, 8)).T
    for distance in range(-39, 40):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    assert products[0].std() > 0.1


@pytest.mark.parametrize("dtype", DTYPES[:2], ids=str)
def test_rotary_position_counts_past_2048_in_half_precision(dtype: torch.dtype) -> None:
    x = torch.ones(6000, 8, dtype=dtype)
    truth = rotary_embedding(x.double())
    assert rotary_embedding(x).dtype == dtype
    assert (rotary_embedding(x).double() - truth).abs().max() < 4 * torch.finfo(dtype).eps


@either
def test_shifting_a_sentence_shifts_its_scores(head: Head) -> None:
    model = build(head)
    h = hidden(1, 5, 6)
    shifted = torch.cat([hidden(1, 7, 6, seed=3), h], 1)
    torch.testing.assert_close(model(shifted)[..., 7:, 7:], model(h))


@either
def test_without_rotary_position_the_length_of_a_span_is_invisible(head: Head) -> None:
    h = hidden(1, 1, 6).expand(1, 6, 6)  # the same token everywhere
    plain, rotary = build(head, rotary=False)(h)[0, 0], build(head)(h)[0, 0]
    upper = torch.ones(6, 6, dtype=torch.bool).triu()
    torch.testing.assert_close(plain[upper], plain[0, 0].expand(21))
    assert rotary[upper].std() > 1e-3


@pytest.mark.parametrize(("hidden_size", "types", "d"), [(6, 3, 4), (768, 10, 64), (5, 1, 2)])
def test_parameter_counts(hidden_size: int, types: int, d: int) -> None:
    def count(model: nn.Module) -> int:
        return sum(p.numel() for p in model.parameters())

    assert count(GlobalPointer(hidden_size, types, d)) == types * 2 * d * (hidden_size + 1)
    assert count(EfficientGlobalPointer(hidden_size, types, d)) == 2 * d * (hidden_size + 1) + 2 * types * (2 * d + 1)


# ---------------------------------------------------------------------------------------------------------------------
# Masks.


def test_span_mask_is_both_ends_real_and_start_not_after_end() -> None:
    real = torch.tensor([[1, 1, 0, 1], [0, 0, 0, 0]])
    mask = span_mask(real)
    assert mask.shape == (2, 1, 4, 4)
    assert mask.dtype == torch.bool
    spans = {tuple(cell) for cell in mask[0, 0].nonzero().tolist()}
    assert spans == {(i, j) for i in (0, 1, 3) for j in (0, 1, 3) if i <= j}
    assert not mask[1].any()


@either
def test_longer_padding_and_garbage_in_it_change_neither_scores_nor_gradients(head: Head) -> None:
    model = build(head)
    h, mask = hidden(2, 5, 6), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])

    def loss(h: Tensor, mask: Tensor) -> Tensor:
        logits = model(h, mask)
        gold = torch.zeros_like(logits)
        gold[0, 1, 0, 2] = gold[1, 2, 1, 1] = 1
        cells = span_mask(mask)
        agreement = symmetric_kl(logits, 2 * logits.detach(), activation="sigmoid", class_dims=2, mask=cells)
        return multilabel_cross_entropy(logits, gold, class_dims=2, mask=cells) + agreement

    def gradients(value: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad(value, list(model.parameters())))

    value = loss(h, mask)
    truth = gradients(value)
    for garbage in (0.0, 1e200, math.inf, math.nan):
        longer = torch.cat([h, torch.full((2, 4, 6), garbage, dtype=torch.float64)], 1)
        longer[1, 3:] = garbage
        leaf = longer.requires_grad_()
        padded = loss(leaf, torch.nn.functional.pad(mask, (0, 4)))
        torch.testing.assert_close(padded, value)
        for found, wanted in zip(gradients(padded), truth, strict=True):
            torch.testing.assert_close(found, wanted)


@either
def test_cells_that_are_no_span_hold_the_lowest_number_and_two_views_agree_there(head: Head) -> None:
    for dtype in DTYPES:
        model = build(head).to(dtype)
        mask = torch.tensor([[True, True, False, False]])
        first, second = model(hidden(1, 4, 6).to(dtype), mask), model(hidden(1, 4, 6, seed=1).to(dtype), mask)
        cells = span_mask(mask).expand_as(first)
        assert (first[~cells] == torch.finfo(dtype).min).all()
        assert ((first - second)[~cells] == 0).all()
        unmasked = symmetric_kl(first, second, activation="sigmoid", class_dims=2)
        torch.testing.assert_close(
            unmasked, symmetric_kl(first, second, activation="sigmoid", class_dims=2, mask=cells)
        )


@either
def test_one_token_and_a_sentence_of_padding(head: Head) -> None:
    model = build(head)
    assert model(hidden(2, 1, 6)).isfinite().all()
    logits = model(hidden(2, 3, 6), torch.tensor([[1, 0, 0], [0, 0, 0]]))
    assert (logits > torch.finfo(torch.float64).min).sum(dim=(1, 2, 3)).tolist() == [3, 0]
    assert model(hidden(0, 3, 6)).shape == (0, 3, 3, 3)


# ---------------------------------------------------------------------------------------------------------------------
# Half precision and errors.


@pytest.mark.parametrize("dtype", DTYPES[:2], ids=str)
@either
def test_half_precision_and_autocast_are_finite_and_close(head: Head, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = head(32, 5, 16)
    h = hidden(3, 20, 32).float()
    mask = torch.arange(20) < torch.tensor([[20], [11], [1]])
    cells = span_mask(mask)
    truth = model(h, mask)
    positive = torch.zeros(3, 5, 20, 20)
    positive[:, 0, 0, 0] = 1

    with torch.autocast("cpu", dtype=dtype):
        under_autocast = model(h, mask)
    half = copy.deepcopy(model).to(dtype)
    for weights, logits in ((model, under_autocast), (half, half(h.to(dtype), mask))):
        assert logits.dtype == dtype
        assert logits.isfinite().all()
        error = (logits.float() - truth).masked_fill(~cells, 0).abs().max()
        assert error < 16 * torch.finfo(dtype).eps * truth.masked_fill(~cells, 0).abs().max()
        value = multilabel_cross_entropy(logits, positive, class_dims=2, mask=cells)
        value = value + symmetric_kl(logits, 2 * logits.detach(), activation="sigmoid", class_dims=2, mask=cells)
        assert value.isfinite()
        for gradient in torch.autograd.grad(value, list(weights.parameters())):
            assert gradient.isfinite().all()
            assert gradient.any()


@either
def test_products_beyond_half_precision_s_range_are_divided_first(head: Head) -> None:
    """q . k = 64 * 40^2 = 102,400 does not fit into float16, the score 12,800 does."""
    model = head(1, 1, 64, rotary=False)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    nn.init.constant_(model.projection.bias, 40.0)
    logits = model.half()(torch.zeros(1, 2, 1, dtype=torch.float16))
    assert logits[0, 0, 0, 1] == 12800


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, 1, 2), "hidden_size must be positive, got 0"),
        ((1, 0, 2), "num_types must be positive, got 0"),
        ((1, 1, -2), "head_size must be positive, got -2"),
        ((1, 1, 3), "head_size must be even for rotary position, got 3"),
    ],
)
@either
def test_wrong_sizes_are_refused(head: Head, sizes: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        head(*sizes)
    assert head(1, 1, 3, rotary=False)(torch.zeros(1, 2, 1)).shape == (1, 1, 2, 2)


@either
def test_wrong_inputs_are_refused(head: Head) -> None:
    model = head(6, 2, 4)
    with pytest.raises(TypeError, match=r"hidden_states must be floating point, got dtype torch\.int64"):
        model(torch.zeros(1, 2, 6).long())
    for shape in ((2, 6), (1, 2, 5)):
        with pytest.raises(ValueError, match=r"hidden_states must have shape \(batch, L, 6\), got \("):
            model(torch.zeros(shape))
    with pytest.raises(ValueError, match=r"attention_mask must have shape \(2, 5\), got \(5, 2\)"):
        model(torch.zeros(2, 5, 6), torch.ones(5, 2))
    additive = torch.tensor([[0.0, 0.0, -1e9]])
    with pytest.raises(TypeError, match=r"attention_mask must be boolean or integer, .* got dtype torch\.float32"):
        model(torch.zeros(1, 3, 6), additive)
    with pytest.raises(ValueError, match=r"attention_mask must have shape \(batch, L\), got \(2,\)"):
        span_mask(torch.ones(2))
    with pytest.raises(ValueError, match="rotary position needs an even feature size, got 3"):
        rotary_embedding(torch.zeros(2, 3))
