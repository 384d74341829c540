"""What the README tells a reader to type works as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch

from gpkl_lib.cli.parser import build_parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.S)
COMMANDS = [line for _, block in BLOCKS for line in block.splitlines() if line.startswith("gpkl ")]


def test_python_runs_and_the_loss_reaches_the_scores():
    first, second = (block for language, block in BLOCKS if language == "python")
    names: dict[str, object] = {}
    exec(first, names)
    logits = torch.randn(4, 3, 5, 5, requires_grad=True)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    names |= {
        "logits": logits,
        "attention_mask": mask.repeat(2, 1),
        "positives": torch.tensor([[0, 1, 0, 2], [1, 2, 1, 1]]),
    }
    exec(second, names)
    names["loss"].backward()  # type: ignore[attr-defined]
    assert logits.grad is not None
    assert logits.grad[1, :, 3:].abs().max() == 0  # padding
    assert logits.grad[:, 1, 0, 2].abs().min() > 0


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(command: str):
    arguments = build_parser().parse_args(shlex.split(command, comments=True)[1:])
    assert arguments.command == command.split()[1]


def test_every_make_target_and_file_is_there():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"`?make ([a-z]+)", README))
    assert {"book", "serve", "lab", "test"} <= targets
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in targets)
    for path in re.findall(r"\]\(([^):]+)\)|`([A-Z][\w-]+(?:\.\w+)?)`", README):
        assert (ROOT / "".join(path)).exists(), path
