"""The tiled span loss, against the dense way in float64: values, gradients, refusals, memory."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import Tensor

from gpkl_lib import (
    EfficientGlobalPointer,
    GlobalPointer,
    Tagger,
    decode_spans,
    fit,
    rdrop_loss,
    span_mask,
    sparse_multilabel_cross_entropy,
)
from gpkl_lib.consistency import ConsistencyLoss, two_views
from gpkl_lib.corpora import Batch, toy_corpus
from gpkl_lib.spans import decode_projection
from gpkl_lib.tiled.decode import cells_above
from gpkl_lib.tiled.groups import ROWS, groups_of
from gpkl_lib.tiled.loss import BLOCK, HOLD, tiled_head_loss, tiled_span_loss
from gpkl_lib.training.loop import TrainingConfig, training_loss
from gpkl_lib.training.tiles import TILED_FROM, takes_tiles

Case = dict[str, Any]


def dense(query: Tensor, key: Tensor, positives: Tensor, real: Tensor, views: int, alpha: float) -> ConsistencyLoss:
    """The same from all scores at once, by the library's own losses."""
    scores, mask = query @ key.mT, span_mask(real)
    scores = scores.masked_fill(~span_mask(real.repeat(views, 1)), torch.finfo(scores.dtype).min)

    def cross_entropy(logits: Tensor) -> Tensor:
        return sparse_multilabel_cross_entropy(logits, positives, class_dims=2, mask=mask)

    if views == 1:
        task = cross_entropy(scores)
        return ConsistencyLoss(task, task, torch.zeros_like(task))
    s, t = two_views(scores)
    return rdrop_loss(
        s.flatten(0, 1).flatten(1),
        t.flatten(0, 1).flatten(1),
        lambda rows: cross_entropy(rows.view(s.shape)),
        alpha=alpha,
        mask=mask.expand(s.shape).flatten(0, 1).flatten(1),
    )


def drawn(
    seed: int,
    views: int = 2,
    batch: int = 2,
    types: int = 3,
    length: int = 9,
    d: int = 4,
    scale: float = 1.0,
    share: float = 0.1,
    mask: str = "ragged",
) -> Case:
    """Random arguments: scores of size `scale`, a `share` of the spans positive, a mask of some kind."""
    generator = torch.Generator().manual_seed(seed)

    def normal() -> Tensor:
        x = torch.randn(views * batch, types, length, d, generator=generator, dtype=torch.float64)
        return x * (scale / d**0.5) ** 0.5

    ends = torch.randint(0, length + 1, (batch, 1), generator=generator)
    real = {
        "full": torch.ones(batch, length, dtype=torch.bool),
        "ragged": torch.arange(length) < ends,
        "holes": torch.rand(batch, length, generator=generator) < 0.6,
    }[mask]
    spans = span_mask(real).expand(batch, types, length, length)
    chosen = spans & (torch.rand(spans.shape, generator=generator) < share)
    positives = chosen.nonzero()
    order = torch.randperm(len(positives), generator=generator)
    return {"query": normal(), "key": normal(), "positives": positives[order], "real": real, "views": views}


@contextmanager
def waiting(hold: int) -> Iterator[None]:
    """Blocks wait for their denominator where a group has up to `hold` scores; 0: never, all is summed as it comes."""
    with mock.patch("gpkl_lib.tiled.loss.HOLD", hold):
        yield


def both(
    case: Case, alpha: float, dtype: torch.dtype, block: int = BLOCK, hold: int = HOLD
) -> tuple[list[Tensor], list[Tensor]]:
    """(loss, task, divergence, gradients of query and key): tiled in `dtype`, dense in float64 at the same inputs."""
    query, key = (case[name].to(dtype).requires_grad_() for name in ("query", "key"))
    exact_query, exact_key = (x.detach().double().requires_grad_() for x in (query, key))
    with waiting(hold):
        found = tiled_span_loss(
            query, key, case["positives"], attention_mask=case["real"], views=case["views"], alpha=alpha, block=block
        )
    wanted = dense(exact_query, exact_key, case["positives"], case["real"], case["views"], alpha)
    gradients = torch.autograd.grad(found.loss, (query, key))
    exact = torch.autograd.grad(wanted.loss, (exact_query, exact_key))
    assert all(gradient.dtype == dtype for gradient in gradients)
    return [*map(Tensor.detach, found), *gradients], [*map(Tensor.detach, wanted), *exact]


def check(found: list[Tensor], wanted: list[Tensor], tolerance: float) -> None:
    """Each value within `tolerance` of its size, each gradient within that of its length."""
    for name, a, b in zip(("loss", "task", "divergence", "query", "key"), found, wanted, strict=True):
        error = (a.double() - b).norm() / b.norm().clamp(min=1e-3)
        assert error <= tolerance, f"{name}: {error:.1e}, more than {tolerance:.0e}"


# ---------------------------------------------------------------------------------------------------------------------
# Equal to the dense way.


@settings(max_examples=150, deadline=None)
@given(
    seed=some.integers(0, 10**6),
    views=some.sampled_from([1, 2]),
    batch=some.integers(1, 4),
    types=some.integers(1, 4),
    length=some.integers(1, 20),
    d=some.sampled_from([1, 2, 3, 8, 17]),
    share=some.sampled_from([0.0, 0.1, 1.0]),
    mask=some.sampled_from(["full", "ragged", "holes"]),
    scale=some.sampled_from([0.01, 1.0, 10.0, 100.0, 1000.0]),
    alpha=some.sampled_from([0.0, 1.0, 7.0]),
    block=some.sampled_from([1, 7, 60, 500, BLOCK]),
    hold=some.sampled_from([0, 300, HOLD]),
)
def test_loss_and_gradient_are_those_of_the_dense_way(alpha: float, block: int, hold: int, **case: Any) -> None:
    check(*both(drawn(**case), alpha, torch.float64, block, hold), 1e-12)


@pytest.mark.parametrize("hold", [0, HOLD])
@pytest.mark.parametrize("block", [1, 100, BLOCK])
@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_float32_keeps_its_digits(scale: float, views: int, block: int, hold: int) -> None:
    check(*both(drawn(0, views, length=40, d=16, scale=scale), 1.0, torch.float32, block, hold), 2e-6)


@pytest.mark.parametrize("length", [ROWS - 1, ROWS, ROWS + 1, 3 * ROWS + 5])
def test_blocks_that_do_not_divide_the_length(length: int) -> None:
    for mask, hold in product(("full", "ragged", "holes"), (0, HOLD)):
        check(*both(drawn(1, length=length, mask=mask), 1.0, torch.float64, 3000, hold), 1e-12)
        check(*both(drawn(1, length=length, mask=mask), 1.0, torch.float32, hold=hold), 2e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_accumulated_in_float32(dtype: torch.dtype) -> None:
    """Values as exact as in float32; gradients rounded once, at the end."""
    found, wanted = both(drawn(2, length=150, d=16, mask="full"), 1.0, dtype)
    check(found[:3] + wanted[3:], wanted, 2e-6)
    check(wanted[:3] + found[3:], wanted, torch.finfo(dtype).eps)
    assert found[0].dtype == torch.float32


@pytest.mark.parametrize("scale", [1e3, 1e5])
def test_huge_scores_are_no_worse_than_in_the_dense_way(scale: float) -> None:
    dtype = torch.float32
    case = drawn(3, length=30, scale=scale, mask="full")
    found, wanted = both(case, 1.0, dtype)
    query, key = (case[name].to(dtype).requires_grad_() for name in ("query", "key"))
    plain = dense(query, key, case["positives"], case["real"], 2, 1.0)
    theirs = [*map(Tensor.detach, plain), *torch.autograd.grad(plain.loss, (query, key))]
    for a, b, c in zip(found, theirs, wanted, strict=True):
        assert a.isfinite().all()
        assert (a - c).norm() <= 3 * (b - c).norm() + 30 * torch.finfo(dtype).eps * c.norm()


def test_the_running_maximum_ignores_positives_and_what_is_no_span() -> None:
    """A positive, or a cell below the diagonal, that towers over all negatives leaves the digits of their sum alone."""
    query = torch.tensor([[1.0], [200.0], [2.0]], dtype=torch.float64)[None, None]  # score i, j is q_i k_j
    key = torch.tensor([[5.0], [-0.02], [-3.0]], dtype=torch.float64)[
        None, None
    ]  # (1, 0), below the diagonal, is 1000; (0, 0) is 5
    query[..., 0, :] = 100.0  # (0, 0), the positive, is 500
    positives = torch.tensor([[0, 0, 0, 0]])
    for block in (1, BLOCK):
        loss = tiled_span_loss(query, key, positives, block=block).loss
        negatives = [math.exp(x) for x in (-2.0, -300.0, -4.0, -600.0, -6.0)]
        assert float(loss) == pytest.approx(math.log1p(sum(negatives)) + math.log1p(math.exp(-500)), rel=1e-14)


def test_a_maximum_that_rises_late_rescales_what_came_before() -> None:
    case = drawn(4, length=12, batch=1, types=1, mask="full", share=0.0)
    case["query"] *= torch.logspace(-1, 2.5, 12, dtype=torch.float64)[:, None]
    for hold in (0, HOLD):
        check(*both(case, 1.0, torch.float64, 24, hold), 1e-12)


@pytest.mark.parametrize("s", [-40.0, -30.0, -2.0, 2.0, 30.0, 40.0])
@pytest.mark.parametrize("u", [2.0**-10, 2.0**-20, 2.0**-30])
def test_close_views_keep_their_divergence(s: float, u: float) -> None:
    """sigma'(s) u^2 to what the rounding of a score leaves of u, where p - q of two p near 1 would be far off or 0."""
    query = torch.tensor([s, s + u], dtype=torch.float64).view(2, 1, 1, 1)
    u = float(query[1] - query[0])
    found = tiled_span_loss(query, torch.ones_like(query), torch.empty(0, 4, dtype=torch.long), views=2, alpha=1.0)
    middle = math.exp(-abs(s + u / 2))
    expected = middle / (1 + middle) ** 2 * u * u
    assert float(found.divergence) == pytest.approx(expected, rel=u * u + abs(s) * 2.0**-50 / u, abs=0)


def test_no_sentence_no_token_no_type_at_all() -> None:
    none = torch.empty(0, 4, dtype=torch.long)
    for shape in ((0, 2, 5, 4), (2, 2, 0, 4), (2, 0, 5, 4)):
        query = torch.zeros(shape, requires_grad=True)
        found = tiled_span_loss(query, query, none, views=2, alpha=1.0)
        found.loss.backward()
        assert [float(x.detach()) for x in found] == [0.0, 0.0, 0.0]
        assert query.grad is not None
        assert query.grad.shape == shape


def test_a_row_with_nothing_valid_counts_as_a_row() -> None:
    case = drawn(5, mask="full")
    case["real"][1] = False
    case["positives"] = case["positives"][case["positives"][:, 0] == 0]
    check(*both(case, 1.0, torch.float64), 1e-12)


@pytest.mark.parametrize("garbage", [math.nan, math.inf, 1e30])
def test_garbage_in_the_padding_reaches_nothing(garbage: float) -> None:
    for mask in ("ragged", "holes"):
        case = drawn(6, batch=3, mask=mask)
        want = both(case, 1.0, torch.float64)[0]
        padding = ~case["real"].repeat(2, 1)[:, None, :, None]
        case |= {name: case[name].masked_fill(padding, garbage) for name in ("query", "key")}
        query, key = (case[name].requires_grad_() for name in ("query", "key"))
        found = tiled_span_loss(query, key, case["positives"], attention_mask=case["real"], views=2, alpha=1.0)
        gradients = torch.autograd.grad(found.loss, (query, key))
        for a, b in zip([*found, *gradients], want, strict=True):
            torch.testing.assert_close(a.detach(), b, rtol=1e-13, atol=1e-14)


# ---------------------------------------------------------------------------------------------------------------------
# A citizen of autograd.


@pytest.mark.parametrize("hold", [0, HOLD])
@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("block", [10, BLOCK])
def test_gradcheck(views: int, block: int, hold: int) -> None:
    case = drawn(7, views, length=5, d=3, mask="holes", share=0.3)

    def loss(query: Tensor, key: Tensor) -> Tensor:
        return tiled_span_loss(
            query, key, case["positives"], attention_mask=case["real"], views=views, alpha=3.0, block=block
        ).loss

    with waiting(hold):
        assert torch.autograd.gradcheck(loss, (case["query"].requires_grad_(), case["key"].requires_grad_()))


def test_gradients_accumulate_scale_and_come_twice() -> None:
    case = drawn(8)
    query, key = case["query"].requires_grad_(), case["key"].requires_grad_()

    def loss() -> Tensor:
        return tiled_span_loss(query, key, case["positives"], attention_mask=case["real"], views=2, alpha=1.0).loss

    (once,) = torch.autograd.grad(loss(), query)
    kept = loss()
    kept.backward(retain_graph=True)
    kept.backward(retain_graph=True)  # what is now added to is no longer the loss's
    kept.backward()
    (3 * loss()).backward()
    torch.testing.assert_close(query.grad, 6 * once)


def test_only_what_wants_gradient_gets_it() -> None:
    case = drawn(9)
    query = case["query"].requires_grad_()
    found = tiled_span_loss(query, case["key"], case["positives"], attention_mask=case["real"], views=2)
    assert found.loss.requires_grad
    assert not found.task.requires_grad
    assert not found.divergence.requires_grad
    found.loss.backward()
    assert case["key"].grad is None
    with torch.no_grad():
        assert not tiled_span_loss(
            query, case["key"], case["positives"], attention_mask=case["real"], views=2
        ).loss.requires_grad


def test_second_derivatives_are_refused() -> None:
    case = drawn(10)
    query = case["query"].requires_grad_()
    loss = tiled_span_loss(query, case["key"], case["positives"], attention_mask=case["real"], views=2).loss
    (gradient,) = torch.autograd.grad(loss, query, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivatives"):
        gradient.square().sum().backward()


def test_memory_kept_from_call_to_call_is_safe() -> None:
    """What one call leaves behind is no other's: not in inference mode, not of another size, not in another thread."""

    def values(seed: int, length: int) -> list[Tensor]:
        case = drawn(seed, length=length, mask="full")
        return both(case, 1.0, torch.float64)[0]

    def evaluated_first() -> list[Tensor]:
        with torch.inference_mode():
            case = drawn(0, length=70, mask="full")
            tiled_span_loss(case["query"], case["key"], case["positives"], attention_mask=case["real"], views=2)
        return values(0, 70)

    with ThreadPoolExecutor(1) as fresh:
        fresh.submit(evaluated_first).result()
    sizes = [(seed, length) for seed in range(4) for length in (70, 5, 130)]
    alone = [values(*size) for size in sizes]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda size: values(*size), sizes * 3))
    for found, wanted in zip(together, alone * 3, strict=True):
        for a, b in zip(found, wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("alpha", [1e-3, 1e-20, 1e-29, 1e-35, 1e-300])
def test_a_tiny_alpha_does_no_harm(alpha: float) -> None:
    for hold in (0, HOLD):
        check(*both(drawn(13, length=30), alpha, torch.float32, hold=hold), 2e-6)


def test_autocast_changes_nothing_inside() -> None:
    case = drawn(11)
    query, key = case["query"].float(), case["key"].float()
    plain = tiled_span_loss(query, key, case["positives"], attention_mask=case["real"], views=2, alpha=1.0)
    with torch.autocast("cpu", torch.bfloat16):
        found = tiled_span_loss(query, key, case["positives"], attention_mask=case["real"], views=2, alpha=1.0)
    assert torch.equal(found.loss, plain.loss)


PROCESSES = """
import sys, torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from gpkl_lib import GlobalPointer
from gpkl_lib.tiled.loss import tiled_head_loss

rank, store = int(sys.argv[1]), sys.argv[2]
torch.manual_seed(0)
head = GlobalPointer(6, 3, 4).double()
hidden = torch.randn(4, 2, 7, 6, dtype=torch.float64)  # two views of two sentences
positives = [torch.tensor([[0, 1, 2, 4]]), torch.tensor([[0, 0, 0, 0], [0, 2, 5, 6]])]


class Loss(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = head

    def forward(self, hidden, positives):
        return tiled_head_loss(self.head, hidden, positives, views=2, alpha=2.0).loss


mine = lambda sentence: (hidden[:2, sentence], positives[sentence])
if rank < 2:
    distributed.init_process_group("gloo", init_method="file://" + store, rank=rank, world_size=2)
    shared = DistributedDataParallel(Loss())  # it must outlive the backward pass
    shared(*mine(rank)).backward()
    distributed.barrier()
    distributed.destroy_process_group()
else:
    (sum(Loss()(*mine(sentence)) for sentence in range(2)) / 2).backward()
torch.save([parameter.grad for parameter in head.parameters()], f"{store}.{rank}")
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this build of torch has no torch.distributed")
def test_several_processes_share_their_gradients(tmp_path: Path) -> None:
    """DistributedDataParallel over two processes: both end with the mean of the gradients of one process."""
    store = tmp_path / "store"
    commands = [[sys.executable, "-c", PROCESSES, str(rank), str(store)] for rank in range(3)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    told = [process.communicate(timeout=300)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], told
    first, second, alone = (torch.load(f"{store}.{rank}") for rank in range(3))
    for a, b, c in zip(first, second, alone, strict=True):
        assert torch.equal(a, b)
        torch.testing.assert_close(a, c, rtol=1e-12, atol=1e-14)


# ---------------------------------------------------------------------------------------------------------------------
# Refusals.


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ([[0, 0, 1, 1], [0, 0, 3, 2]], r"positives\[1\] = \[0, 0, 3, 2\] ends before it starts"),
        ([[0, 0, 1, 1], [2, 0, 1, 1]], r"positives\[1\] = \[2, 0, 1, 1\] lies outside"),
        ([[0, 3, 1, 1]], r"positives\[0\] = \[0, 3, 1, 1\] lies outside"),
        ([[0, 0, 1, 9]], "lies outside"),
        ([[0, -1, 1, 1]], "lies outside"),
        ([[0, 0, 1, 2], [0, 0, 0, 1], [0, 0, 1, 2]], r"positives\[2\] = \[0, 0, 1, 2\] is given more than once"),
        ([[1, 0, 4, 5]], r"positives\[0\] = \[1, 0, 4, 5\] begins or ends on padding"),
    ],
)
def test_a_bad_span_is_refused_with_its_place(place: list[list[int]], says: str) -> None:
    case = drawn(12, mask="full")
    case["real"][1, 5:] = False
    with pytest.raises(ValueError, match=says):
        tiled_span_loss(case["query"], case["key"], torch.tensor(place), attention_mask=case["real"], views=2)


def test_other_arguments_are_refused() -> None:
    x, none = torch.zeros(2, 1, 3, 4), torch.empty(0, 4, dtype=torch.long)
    for error, says, arguments in (
        (TypeError, "query must be floating point", (x.long(), x, none)),
        (TypeError, "one dtype", (x, x.double(), none)),
        (ValueError, "one shape", (x, x[:1], none)),
        (ValueError, "one shape", (x[0], x[0], none)),
        (TypeError, "positives must be int64", (x, x, none.int())),
        (ValueError, r"positives must have shape \(P, 4\)", (x, x, none[:, :3])),
    ):
        with pytest.raises(error, match=says):
            tiled_span_loss(*arguments)
    for says, options in (
        ("views must be 1 or 2", {"views": 3}),
        ("alpha must be finite", {"alpha": -1.0}),
        ("alpha must be finite", {"alpha": math.inf}),
        ("block must be positive", {"block": 0}),
        ("attention_mask must have shape", {"attention_mask": torch.ones(2, 4)}),
    ):
        with pytest.raises(ValueError, match=says):
            tiled_span_loss(x, x, none, **options)
    with pytest.raises(ValueError, match="even batch"):
        tiled_span_loss(x[:1], x[:1], none, views=2)


# ---------------------------------------------------------------------------------------------------------------------
# Heads and decoding.


@pytest.mark.parametrize("rotary", [True, False])
@pytest.mark.parametrize("kind", [GlobalPointer, EfficientGlobalPointer])
def test_heads_hand_over_what_multiplies_to_their_scores(kind: Any, rotary: bool) -> None:
    torch.manual_seed(0)
    head = kind(6, 3, 4, rotary=rotary).double()
    hidden = torch.randn(2, 7, 6, dtype=torch.float64)
    real = torch.arange(7) < torch.tensor([[7], [4]])
    query, key = head.project(hidden, real)
    spans = span_mask(real).expand(2, 3, 7, 7)
    torch.testing.assert_close((query @ key.mT)[spans], head(hidden, real)[spans], rtol=1e-12, atol=1e-12)


def head_and_states(case: Case, kind: Any, rotary: bool = True) -> tuple[Any, Tensor]:
    """A head for as many types as `case` has, and hidden states (V * B, L, 6) that want gradient."""
    torch.manual_seed(1)
    rows, types, length, _ = case["query"].shape
    head = kind(6, types, 4, rotary=rotary).double()
    return head, torch.randn(rows, length, 6, dtype=torch.float64, requires_grad=True)


def by_head(case: Case, head: Any, hidden: Tensor, **options: Any) -> list[Tensor]:
    """(loss, task, divergence, gradients of hidden states and parameters) of `tiled_head_loss`."""
    how = {"attention_mask": case["real"], "views": case["views"], "alpha": 2.0} | options
    found = tiled_head_loss(head, hidden, case["positives"], **how)
    return [*map(Tensor.detach, found), *torch.autograd.grad(found.loss, [hidden, *head.parameters()])]


def by_scores(case: Case, head: Any, hidden: Tensor) -> list[Tensor]:
    """The same in the dense way."""
    query, key = head.project(hidden, case["real"].repeat(case["views"], 1))
    wanted = dense(query, key, case["positives"], case["real"], case["views"], 2.0)
    return [*map(Tensor.detach, wanted), *torch.autograd.grad(wanted.loss, [hidden, *head.parameters()])]


@settings(max_examples=60, deadline=None)
@given(
    kind=some.sampled_from([GlobalPointer, EfficientGlobalPointer]),
    rotary=some.booleans(),
    seed=some.integers(0, 10**6),
    views=some.sampled_from([1, 2]),
    batch=some.integers(1, 4),
    types=some.integers(1, 4),
    length=some.integers(1, 20),
    mask=some.sampled_from(["full", "ragged", "holes"]),
    block=some.sampled_from([1, 60, 500, BLOCK]),
    hold=some.sampled_from([0, 300, HOLD]),
)
def test_head_gets_the_dense_gradients(kind: Any, rotary: bool, block: int, hold: int, **drawn_by: Any) -> None:
    case = drawn(**drawn_by)
    head, hidden = head_and_states(case, kind, rotary)
    with waiting(hold):
        found = by_head(case, head, hidden, block=block)
    for a, b in zip(found, by_scores(case, head, hidden), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-13)


def test_head_in_float32_keeps_its_digits() -> None:
    case = drawn(16, length=ROWS + 7)
    head, hidden = head_and_states(case, GlobalPointer)
    wanted = by_scores(case, head, hidden)
    found = by_head(case, head.float(), hidden.detach().float().requires_grad_())
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == torch.float32
        assert (a - b).norm() <= 2e-6 * b.norm()


@pytest.mark.parametrize("autocast", [True, False])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_head_in_half_precision(dtype: torch.dtype, autocast: bool) -> None:
    """The projection is; no further from float64 than the dense way; gradients in the dtype of what they are for."""
    case = drawn(17, length=40)
    head, hidden = head_and_states(case, GlobalPointer)
    exact = by_scores(case, head, hidden)
    own = torch.float32 if autocast else dtype
    head, hidden = head.to(own), hidden.detach().to(own).requires_grad_()
    with torch.autocast("cpu", dtype, enabled=autocast):
        found = by_head(case, head, hidden)
        plain = by_scores(case, head, hidden)
    assert [x.dtype for x in found] == [torch.float32] * 3 + [own] * 3
    for a, b, c in zip(found, plain, exact, strict=True):
        assert (a - c).norm() <= max(1.5 * (b.double() - c).norm(), 2e-6 * c.norm())
        assert (a - c).norm() <= 8 * torch.finfo(dtype).eps * c.norm()
    assert (found[3] - exact[3]).norm() > 0.1 * torch.finfo(dtype).eps * exact[3].norm()  # no float32 in disguise


def test_a_scaled_loss_saves_small_gradients_from_float16() -> None:
    """As it does in the dense way: what is below the smallest float16 is scaled before it is rounded."""
    case = drawn(22, batch=1, types=1, length=5, mask="full", share=0.0, scale=40.0)
    query, key = ((case[name].abs() * sign).half().requires_grad_() for name, sign in (("query", 1), ("key", -1)))

    def gradient(scale: float, dtype: torch.dtype) -> Tensor:
        q, k = (x.detach().to(dtype).requires_grad_() for x in (query, key))
        loss = tiled_span_loss(q, k, case["positives"], views=2, alpha=1.0).loss
        return torch.autograd.grad(scale * loss, q)[0].double() / scale

    exact = gradient(1.0, torch.float64)
    small = (exact.abs() > 2.0**-36) & (exact.abs() < 2.0**-26)
    assert small.any()
    assert (gradient(1.0, torch.float16)[small] == 0).all()
    torch.testing.assert_close(gradient(2.0**16, torch.float16)[small], exact[small], rtol=2.0**-6, atol=0)


def test_head_leaves_alone_what_is_frozen() -> None:
    case = drawn(18)
    head, hidden = head_and_states(case, GlobalPointer)
    names = ("hidden", "weight", "bias")
    everything = dict(zip(names, by_head(case, head, hidden)[3:], strict=True))
    for wanted in names:
        leaves = {"hidden": hidden.detach().clone(), **dict(head.projection.named_parameters())}
        for name, leaf in leaves.items():
            leaf.grad = None
            leaf.requires_grad_(name == wanted)
        found = tiled_head_loss(
            head, leaves["hidden"], case["positives"], attention_mask=case["real"], views=2, alpha=2.0
        )
        found.loss.backward()
        assert torch.equal(leaves[wanted].grad, everything[wanted])
        assert [name for name, leaf in leaves.items() if leaf.grad is not None] == [wanted]


@pytest.mark.parametrize("garbage", [math.nan, math.inf])
def test_head_reads_no_padding(garbage: float) -> None:
    for kind, mask in product((GlobalPointer, EfficientGlobalPointer), ("ragged", "holes")):
        case = drawn(19, batch=3, mask=mask)
        head, hidden = head_and_states(case, kind)
        wanted = by_head(case, head, hidden)
        padding = ~case["real"].repeat(2, 1)[..., None]
        found = by_head(case, head, hidden.detach().masked_fill(padding, garbage).requires_grad_())
        for a, b in zip(found, wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-14)


def test_head_gradients_scale_come_twice_and_have_no_own() -> None:
    case = drawn(20)
    head, hidden = head_and_states(case, GlobalPointer)
    once = by_head(case, head, hidden)[3]
    loss = tiled_head_loss(head, hidden, case["positives"], attention_mask=case["real"], views=2, alpha=2.0).loss
    loss.backward(retain_graph=True)
    loss.backward(retain_graph=True)
    hidden.grad *= 2
    (2 * loss).backward(retain_graph=True)
    torch.testing.assert_close(hidden.grad, 6 * once)
    (gradient,) = torch.autograd.grad(loss, hidden, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivatives"):
        gradient.square().sum().backward()


def test_head_refuses_what_does_not_fit() -> None:
    case = drawn(21, mask="full")
    head, hidden = head_and_states(case, GlobalPointer)
    none = torch.empty(0, 4, dtype=torch.long)
    for error, says, states, options in (
        (TypeError, "hidden_states must be floating point", hidden.long(), {}),
        (TypeError, "hidden_states are torch.float32 and the head is torch.float64", hidden.float(), {}),
        (ValueError, "hidden_states must have shape", hidden[..., :5], {}),
        (ValueError, "hidden_states must have shape", hidden[0], {}),
        (ValueError, "hidden_states must have shape", hidden[0, 0], {}),
        (ValueError, "even batch", hidden[:3], {"views": 2}),
        (ValueError, "attention_mask must have shape", hidden, {"views": 2, "attention_mask": torch.ones(4, 9)}),
        (ValueError, "views must be 1 or 2", hidden, {"views": 3}),
        (ValueError, "block must be positive", hidden, {"block": 0}),
    ):
        with pytest.raises(error, match=says):
            tiled_head_loss(head, states, none, **options)
    with pytest.raises(ValueError, match="ends before it starts"):
        tiled_head_loss(head, hidden, torch.tensor([[0, 0, 3, 2]]))


@settings(max_examples=50, deadline=None)
@given(
    seed=some.integers(0, 10**6),
    length=some.integers(1, 30),
    mask=some.sampled_from(["full", "ragged", "holes"]),
    block=some.sampled_from([1, 50, BLOCK]),
    threshold=some.sampled_from([-3.0, 0.0, 2.0]),
)
def test_decoding_without_the_scores(seed: int, length: int, mask: str, block: int, threshold: float) -> None:
    case = drawn(seed, 1, length=length, mask=mask, scale=3.0)
    query, key, real = case["query"], case["key"], case["real"]
    wanted = decode_spans(query @ key.mT, ["a", "b", "c"], real, threshold=threshold)
    assert decode_projection(query, key, ["a", "b", "c"], real, threshold=threshold) == wanted
    cells = cells_above(query, key, attention_mask=real, threshold=threshold, block=block)
    assert len(cells) == sum(map(len, wanted))


def test_decoding_refuses_nan_and_wrong_types() -> None:
    case = drawn(14, 1, mask="full")
    with pytest.raises(ValueError, match="name all 3 heads"):
        decode_projection(case["query"], case["key"], ["a"])
    case["query"][0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="NaN"):
        decode_projection(case["query"], case["key"], ["a", "b", "c"])


# ---------------------------------------------------------------------------------------------------------------------
# In training.


@pytest.mark.parametrize("head", ["global_pointer", "efficient"])
@pytest.mark.parametrize("method", ["none", "sigmoid"])
def test_a_step_of_training_is_the_same_in_tiles(method: str, head: str) -> None:
    corpus = toy_corpus(12)
    tagger = Tagger.from_scratch(corpus.sentences, corpus.types, head=head, head_size=8, hidden_size=12, dropout=0.3)
    tagger.double()
    batch, found = tagger.collate(corpus.sentences), []
    for tiled in (False, True):
        torch.manual_seed(0)
        tagger.zero_grad()
        losses = training_loss(tagger, batch, TrainingConfig(method=method), 0.5, tiled=tiled)
        losses.loss.backward()
        gradients = [parameter.grad.clone() for parameter in tagger.parameters() if parameter.grad is not None]
        found.append([*map(Tensor.detach, losses), *gradients])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-13)


def test_fit_trains_in_tiles_as_without() -> None:
    corpus, losses = toy_corpus(20), []
    config = TrainingConfig(method="sigmoid", epochs=2, device="cpu")
    for tiled in (False, True):
        tagger = Tagger.from_scratch(corpus.sentences, corpus.types, head_size=8, hidden_size=12)
        history = fit(tagger, corpus, corpus, config=config, tiled=tiled, progress=False)
        losses.append([row["loss"] for row in history.rows])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_auto_takes_tiles_for_long_sentences_of_the_methods_that_have_them() -> None:
    def batch(length: int) -> Batch:
        return Batch({}, torch.ones(2, length, dtype=torch.bool), torch.empty(0, 4, dtype=torch.long))

    assert takes_tiles(TrainingConfig(method="sigmoid"), batch(TILED_FROM), "auto")
    assert not takes_tiles(TrainingConfig(method="sigmoid"), batch(TILED_FROM - 1), "auto")
    assert not takes_tiles(TrainingConfig(method="softmax"), batch(TILED_FROM), "auto")
    assert takes_tiles(TrainingConfig(method="none"), batch(1), True)
    assert not takes_tiles(TrainingConfig(method="none"), batch(500), False)
    corpus = toy_corpus(5)
    tagger = Tagger.from_scratch(corpus.sentences, corpus.types, head_size=8, hidden_size=12)
    with pytest.raises(ValueError, match="tiled=True is for the methods none and sigmoid"):
        fit(tagger, corpus, corpus, config=TrainingConfig(method="softmax"), tiled=True, progress=False)
    with pytest.raises(ValueError, match="tiled must be"):
        fit(tagger, corpus, corpus, tiled="always", progress=False)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------------------------------
# What is computed together, and what is never held.


@settings(max_examples=100, deadline=None)
@given(
    lengths=some.lists(some.integers(0, 300), min_size=1, max_size=8),
    types=some.integers(1, 12),
    views=some.sampled_from([1, 2]),
    block=some.sampled_from([1, 1000, BLOCK]),
)
def test_groups_cover_every_type_of_every_sentence_once(lengths: list[int], types: int, views: int, block: int) -> None:
    real = torch.arange(max(1, *lengths)) < torch.tensor(lengths)[:, None]
    groups, rows = groups_of(real, types, views, block)
    seen = [(b, h) for group in groups for b in group.sentences for h in range(group.first, group.last)]
    assert sorted(seen) == [(b, h) for b, n in enumerate(lengths) if n for h in range(types)]
    for group in groups:
        assert group.n == max(lengths[b] for b in group.sentences)
        assert group.whole == all(lengths[b] == group.n for b in group.sentences)
        one = views * min(rows, group.n) * group.n  # one type of one sentence
        assert group.cells(views, rows) <= max(block, one)
        assert one <= block or rows == 1
        blocks = [views * (min(start + rows, group.n) - start) * (group.n - start) for start in range(0, group.n, rows)]
        assert group.scores(views, rows) == sum(blocks) * len(group.sentences) * (group.last - group.first)
        assert group.cells(views, rows) == blocks[0] * len(group.sentences) * (group.last - group.first)


MEMORY = """
import resource, sys, torch
from pathlib import Path
from gpkl_lib.tiled.loss import tiled_span_loss

def peak(length):
    query, key = (torch.randn(4, 2, length, 16).requires_grad_() for _ in range(2))
    Path("/proc/self/clear_refs").write_text("5")
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmRSS"))
    tiled_span_loss(query, key, torch.tensor([[0, 0, 1, 2]]), views=2, alpha=1.0).loss.backward()
    top = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(top.split()[1]) - int(line.split()[1])

torch.set_num_threads(1)
peak(64)
print(peak(int(sys.argv[1])))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak resident size from /proc")
def test_memory_grows_with_the_length_and_not_with_its_square() -> None:
    def kilobytes(length: int) -> int:
        command = [sys.executable, "-c", MEMORY, str(length)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout)

    short, long = kilobytes(1024), kilobytes(4096)
    assert long <= 4.4 * max(short, 1024)
    assert long * 1024 < 4 * 4 * 2 * 4096**2 / 4  # a quarter of one matrix of scores
