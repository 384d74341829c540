"""Where a row comes from: the commit, and whether any file of the package differs from it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

import gpkl_lib
from gpkl_lib.experiments import provenance, records


def test_a_change_anywhere_in_the_package_is_said_and_none_outside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Path(gpkl_lib.__file__).parent == records.PACKAGE
    package = tmp_path / "gpkl_lib"
    (package / "cli").mkdir(parents=True)
    files = [package / "__init__.py", package / "cli/parser.py", tmp_path / "README.md"]
    for file in files:
        file.write_text("")
    for words in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -q -m a"):
        subprocess.run(["git", *words.split()], cwd=tmp_path, check=True)
    monkeypatch.setattr(records, "PACKAGE", package)
    files[2].write_text("changed")
    origin = provenance(torch.device("cpu"))
    assert origin["dirty"] is False
    assert len(origin["commit"]) == 40
    files[1].write_text("changed")
    assert provenance(torch.device("cpu"))["dirty"] is True
