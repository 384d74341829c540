"""Two processes that share a step of vat, uda and distillation."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from method_cases import make_tiny_encoder
from method_runs import METHODS, QUICK, TRAIN, one_step, tagger_of

from gpkl_lib.tagger.tagger import Tagger
from gpkl_lib.training.process import Process, accelerator

HUNG = 1800  # seconds after which a process counts as one that never ends
SCRIPT = """
import sys, torch
sys.path.insert(0, {tests!r})
from dataclasses import replace
from method_runs import METHODS, QUICK, TRAIN, Tagger, one_step, tagger_of
from gpkl_lib.training.process import accelerator, Process

output = sys.argv[1]
with accelerator("cpu") as accelerate:
    assert accelerate.num_processes == 2
    for method, settings in METHODS.items():
        pieces = Tagger.from_encoder({encoder!r}, TRAIN.types, head_size=4)
        for kind, tagger in (("words", tagger_of()), ("pieces", pieces)):
            config = replace(QUICK, **settings, gradient_clip=None)
            process = Process(accelerate, tagger, config)
            for step in (7, 8):  # a second one finds the wrapper as it should be
                found = one_step(process, config, method, step)
            torch.save(found, f"{{output}}/{{method}}-{{kind}}-{{process.rank}}.pt")
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
@pytest.mark.pretrained
def test_two_processes_share_the_gradients_of_every_method(tmp_path: Path):
    """Gloo. Both end with the mean of what each would have alone, dropout, directions and altered copies included."""
    pytest.importorskip("transformers", reason="needs the extra transformers")
    (tmp_path / "encoder").mkdir()
    encoder = str(make_tiny_encoder(tmp_path / "encoder"))
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent), encoder=encoder))
    launcher = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "0", "--standalone")
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, *launcher, str(script), str(tmp_path)]
    child = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HUNG)
    assert child.returncode == 0, child.stderr
    with accelerator("cpu") as accelerate:
        for method, settings in METHODS.items():
            config = replace(QUICK, **settings, gradient_clip=None)
            for kind in ("words", "pieces"):
                ranks = [torch.load(tmp_path / f"{method}-{kind}-{rank}.pt", weights_only=True) for rank in (0, 1)]
                alone = []
                for rank in (0, 1):
                    words = kind == "words"
                    tagger = tagger_of() if words else Tagger.from_encoder(encoder, TRAIN.types, head_size=4)
                    process = Process(accelerate, tagger, config)
                    process.rank, process.count = rank, 2
                    alone.append(one_step(process, config, method, 8))
                assert len(alone[0]) == len(ranks[0])
                for first, second, one, other in zip(*ranks, *alone, strict=True):
                    assert torch.equal(first, second)
                    torch.testing.assert_close(first, (one + other) / 2, rtol=1e-4, atol=1e-6)
