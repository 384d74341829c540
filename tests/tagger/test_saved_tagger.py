"""A saved tagger: a folder that loads, or says why not."""

import errno
import hashlib
import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from taggers import CORPUS, SMALL, scores, small_tagger, talkative

import gpkl_lib._storage
from gpkl_lib._storage import CheckpointError
from gpkl_lib.tagger.tagger import Tagger


@pytest.mark.parametrize("head", ["global_pointer", "efficient"])
def test_saved_and_loaded_it_is_the_same(tmp_path, head):
    tagger = small_tagger(head=head, layers=2, word_dropout=0.3)
    tagger.save(tmp_path / "a" / "b")
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["model.safetensors", "tagger.json"]
    loaded = Tagger.load(tmp_path / "a" / "b")
    assert not loaded.training
    assert loaded.types == CORPUS.types
    assert loaded.description() == tagger.description()
    assert torch.equal(scores(loaded, CORPUS.sentences), scores(tagger, CORPUS.sentences))


def flip(path):
    data = bytearray(path.read_bytes())
    data[-9] ^= 4
    path.write_bytes(bytes(data))


def cut(path):
    path.write_bytes(path.read_bytes()[:-50])


def edit(**changes):
    def change(path):
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


@pytest.mark.parametrize(
    ("name", "harm", "message"),
    [
        ("model.safetensors", Path.unlink, "model.safetensors is missing"),
        ("model.safetensors", cut, "model.safetensors is damaged or no safetensors file"),
        ("model.safetensors", flip, "model.safetensors is damaged: its contents do not match their checksum"),
        ("tagger.json", Path.unlink, "holds no saved tagger .tagger.json is missing"),
        ("tagger.json", cut, "tagger.json is damaged"),
        ("tagger.json", edit(format=7), 'tagger.json is no tagger of this version .it should hold "format": 1'),
        ("tagger.json", edit(head_size=10), "model.safetensors and tagger.json are not of one tagger"),
    ],
)
def test_a_broken_folder_says_what_is_wrong(tmp_path, name, harm, message):
    small_tagger().save(tmp_path)
    harm(tmp_path / name)
    with pytest.raises(CheckpointError, match=message):
        Tagger.load(tmp_path)


def test_a_folder_of_something_else_says_so(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere does not exist"):
        Tagger.load(tmp_path / "nowhere")
    (tmp_path / "tagger.json").write_text('{"format": 1, "types": ["a"]}')
    digest = hashlib.sha256((tmp_path / "tagger.json").read_bytes()).hexdigest()
    gpkl_lib._storage.write_tensors(tmp_path / "model.safetensors", {}, {"tagger": digest})
    with pytest.raises(CheckpointError, match=r"tagger.json does not describe a tagger"):
        Tagger.load(tmp_path)


def test_the_files_of_two_taggers_do_not_mix(tmp_path):
    small_tagger().save(tmp_path / "one")
    Tagger.from_scratch(CORPUS.sentences, ["x", *CORPUS.types[1:]], **SMALL).save(tmp_path / "two")  # equal shapes
    shutil.copy(tmp_path / "two" / "model.safetensors", tmp_path / "one")
    with pytest.raises(CheckpointError, match="not of one tagger"):
        Tagger.load(tmp_path / "one")


def test_saving_never_leaves_half_a_file(tmp_path, monkeypatch):
    tagger = small_tagger()
    tagger.save(tmp_path)
    before = scores(tagger, CORPUS.sentences)
    talkative(tagger)
    save_file = gpkl_lib._storage.save_file

    def full(tensors, path, metadata):
        save_file(tensors, path, metadata)
        os.truncate(path, 100)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(gpkl_lib._storage, "save_file", full)
    with pytest.raises(CheckpointError, match=r"cannot write .*model.safetensors: No space left on device"):
        tagger.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors", "tagger.json"]
    assert torch.equal(scores(Tagger.load(tmp_path), CORPUS.sentences), before)


def test_a_disk_that_is_really_full(tmp_path):
    """A limit on the size of files makes the system refuse the write itself."""
    resource = pytest.importorskip("resource")
    tagger = small_tagger()
    tagger.save(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(CheckpointError, match=r"cannot write .*model.safetensors: .*File too large"):
            tagger.save(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert Tagger.load(tmp_path).types == tagger.types
    assert not list(tmp_path.glob("*.partial"))
