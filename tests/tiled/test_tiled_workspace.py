"""The memory of the blocks: what is kept from call to call, and how it grows."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from tiled_cases import both, drawn
from torch import Tensor

from gpkl_lib.tiled import tiled_span_loss


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


MEMORY = """
import resource, sys, torch
from pathlib import Path
from gpkl_lib.tiled import tiled_span_loss

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
