"""Files of tensors: what is in them decides their bytes and their digest, and no damage to them passes in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from campaign.checkpoints import DAMAGES, campaign
from safetensors.torch import save_file

from gpkl_lib._storage import CheckpointError, digest, load_checkpoint, read_tensors, save_checkpoint, write_tensors

TENSORS = {"b": torch.arange(6.0).view(2, 3), "a": torch.tensor(1.5), "half": torch.ones(2).bfloat16()}


def test_damage_to_the_newest_checkpoint_is_passed_over_and_said(tmp_path: Path) -> None:
    found = campaign(tmp_path / "run", 150)
    assert not [what for what in found if "FAULT" in what], found
    for damage in DAMAGES:
        assert found[f"{damage.__name__}: passed over, and said so"] > 20


@pytest.mark.parametrize(
    ("before", "after"), [(b"2}", b"7}"), (b'"shape":[2,3]', b'"shape":[3,2]'), (b'"BF16"', b'"F16" ')]
)
def test_the_checksum_covers_the_header(tmp_path: Path, before: bytes, after: bytes) -> None:
    for step in (1, 2):
        save_checkpoint(tmp_path, TENSORS, {"step": step})
    file = tmp_path / "state.safetensors"
    data = file.read_bytes()
    assert data.count(before) == 1
    file.write_bytes(data.replace(before, after))
    with pytest.warns(UserWarning, match=r"damaged.*; going back to .*previous\.safetensors, step 1"):
        loaded = load_checkpoint(tmp_path)
    assert loaded is not None
    assert loaded[1] == {"step": 1}


def test_equal_contents_are_equal_bytes(tmp_path: Path) -> None:
    """A safetensors file with two keys of metadata has them in either order, by chance."""
    for number in range(20):
        write_tensors(tmp_path / str(number), dict(reversed(TENSORS.items())), {"tagger": "x", "more": "y"})
    assert len({(tmp_path / str(number)).read_bytes() for number in range(20)}) == 1
    tensors, metadata = read_tensors(tmp_path / "0")
    assert metadata == {"tagger": "x", "more": "y"}
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_a_digest_is_of_names_dtypes_shapes_values_and_metadata() -> None:
    plain = digest(TENSORS, {"k": "v"})
    turned = {**dict(reversed(TENSORS.items())), "b": TENSORS["b"].mT.contiguous().mT}
    assert digest(turned, {"k": "v"}) == plain
    others = [
        digest(TENSORS, {"k": "w"}),
        digest({**TENSORS, "b": TENSORS["b"].view(3, 2)}, {"k": "v"}),
        digest({**TENSORS, "b": TENSORS["b"].view(torch.int32)}, {"k": "v"}),
        digest({**TENSORS, "b": TENSORS["b"] + 1}, {"k": "v"}),
        digest({("c" if name == "b" else name): tensor for name, tensor in TENSORS.items()}, {"k": "v"}),
    ]
    assert len({plain, *others}) == 6


def test_a_file_without_a_checksum_is_refused(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "foreign", metadata={"state": json.dumps({"step": 1})})
    with pytest.raises(CheckpointError, match="foreign is damaged, or not of this version: it lacks its checksum"):
        read_tensors(tmp_path / "foreign")
