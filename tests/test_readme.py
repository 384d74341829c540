"""What the README tells a reader to type works as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from gpkl_lib.cli.parser import build_parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.S)
COMMANDS = [line for _, block in BLOCKS for line in block.splitlines() if line.startswith("gpkl ")]


class Encoder(torch.nn.Module):
    """Words under dropout, with the states that it gave in training."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.states = torch.nn.Embedding(9, 768), list[torch.Tensor]()

    def forward(self, ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        assert ids.shape == attention_mask.shape
        states = torch.nn.functional.dropout(self.words(ids), 0.1, self.training)
        if self.training:
            states.retain_grad()
            self.states.append(states)
        return states


def test_python_runs_and_the_loss_reaches_the_scores():
    first, second = (block for language, block in BLOCKS if language == "python")
    torch.manual_seed(0)
    encoder = Encoder()
    names: dict[str, Any] = {"encoder": encoder, "input_ids": torch.tensor([[1, 2, 3, 4, 5], [6, 7, 8, 0, 0]])}
    exec(first, names)
    exec(second, names)
    torch.testing.assert_close(names["loss"], names["task"] + 0.1 * names["divergence"])
    assert names["divergence"] > 0
    names["loss"].backward()
    gradient = encoder.states[1].grad
    assert gradient is not None
    assert gradient.shape == (4, 5, 768)
    assert gradient[1::2, 3:].abs().max() == 0  # padding
    assert gradient[:, :2].abs().amax(-1).min() > 0


def test_trained_as_written_it_finds_the_spans_again():
    second = [block for language, block in BLOCKS if language == "python"][1]
    torch.manual_seed(0)
    encoder = Encoder()
    names: dict[str, Any] = {
        "torch": torch,
        "encoder": encoder,
        "input_ids": torch.tensor([[1, 2, 3, 4, 5], [6, 7, 8, 0, 0]]),
    }
    before, loop, after = re.split(r"(?=twice =)|(?=encoder\.eval)", second)
    exec(before, names)
    optimizer = torch.optim.Adam([*encoder.parameters(), *names["head"].parameters()], 0.003)
    for _ in range(40):
        optimizer.zero_grad()
        exec(loop, names)
        names["loss"].backward()
        optimizer.step()
    *ready, last = after.splitlines()
    exec("\n".join(ready), names)
    assert not encoder.training
    assert eval(last, names) == names["spans"]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(command: str):
    arguments = build_parser().parse_args(shlex.split(command, comments=True)[1:])
    assert arguments.command == command.split()[1]


def test_every_make_target_and_file_is_there():
    listed = subprocess.run(
        [sys.executable, "tools/do.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    targets = set(re.findall(r"(?:`make|tools/do\.py) ([a-z]+)", README))
    assert {"book", "lab", "check", "test"} <= targets
    assert all(re.search(rf"^  {target} ", listed, re.M) for target in targets)
    for path in re.findall(r"\]\((?!\.\./\.\./)([^):]+)\)|`([A-Z][\w-]+(?:\.\w+)?)`", README):
        assert (ROOT / "".join(path)).exists(), path


def test_the_first_line_leads_to_the_book() -> None:
    """To the site where it has an address, which _config.yml names; until then to the newest release's site.zip."""
    site = re.search(r'^  baseurl: "([^"]*)"', (ROOT / "_config.yml").read_text("utf-8"), re.M)
    assert site
    first = README.split("\n\n")[1]
    assert f"]({site[1] or '../../releases/latest'})" in first
    assert site[1] or "site.zip" in first
