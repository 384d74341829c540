"""A saved tagger or an encoder of a stranger's: no code of it runs, no pickle is read, no memory is taken in vain."""

import contextlib
import json
import os
import pickle
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from taggers import small_tagger

from gpkl_lib._storage import CheckpointError, read_tensors, write_tensors
from gpkl_lib.tagger import Tagger


def described(folder, text):
    """Put another description in place of a saved tagger's, as one who wants it to fit the weights would."""
    tensors, _ = read_tensors(folder / "model.safetensors")
    (folder / "tagger.json").write_text(text)
    write_tensors(folder / "model.safetensors", tensors, {"tagger": sha256(text.encode()).hexdigest()})


@pytest.mark.parametrize(
    ("of_encoder", "changes", "message"),
    [
        (True, {"layers": 10**5}, "asks for more than the 14 tensors there are"),
        (True, {"layers": 10**12}, "describe a tagger: ValueError"),
        (True, {"layers": 2}, r"layers.1.\S+ should have shape \(24,\), has none"),
        (True, {"word_size": 10**9}, r"should have shape \(24, 1000000008\), has \(24, 16\)"),
        (True, {"hidden_size": 2 * 10**9}, "describe a tagger|should have shape"),
        (True, {"vocabulary": [1]}, "describe a tagger"),
        (True, {"kind": ["words"]}, "describe a tagger: TypeError"),
        (False, {"head_size": 10**9}, "should have shape"),
        (False, {"encoder": 7}, "describe a tagger"),
        (False, {"types": "abcde"}, "types must be a list of names, got 'abcde'"),
        (False, {"types": [1, 2, 3, 4, 5]}, "types must be a list of names"),
        *[
            (False, {"max_span_length": wrong}, "max_span_length must be null or at least 1")
            for wrong in ("x", -1, 0, 2.5, True)
        ],
    ],
)
def test_a_description_of_something_else_is_refused_at_once(tmp_path, of_encoder, changes, message):
    small_tagger().save(tmp_path)
    value = json.loads((tmp_path / "tagger.json").read_text())
    (value["encoder"] if of_encoder else value).update(changes)
    described(tmp_path, json.dumps(value))
    began = time.process_time()
    with pytest.raises(CheckpointError, match=message):
        Tagger.load(tmp_path)
    assert time.process_time() - began < 10  # a hundred thousand layers took half a minute, even without memory


def test_a_description_nested_without_end_is_damaged(tmp_path):
    small_tagger().save(tmp_path)
    (tmp_path / "tagger.json").write_text('{"format": 1, "types": ' + "[" * 100_000)
    with pytest.raises(CheckpointError, match=r"tagger.json is damaged: maximum recursion depth"):
        Tagger.load(tmp_path)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    tagger = small_tagger()
    with torch.no_grad():
        tagger.head.projection.bias[3] = float("nan")
    tagger.save(tmp_path)
    with pytest.raises(CheckpointError, match="holds weights that are not finite"):
        Tagger.load(tmp_path)


OLD = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13)


@pytest.mark.skipif(OLD, reason="older torch imports SymPy for every tensor without memory")
def test_loading_needs_no_more_than_torch(tmp_path):
    """To look at shapes without memory, torch would import SymPy: a second of every `gpkl predict`."""
    small_tagger().save(tmp_path)
    code = (
        "import sys, torch; before = 'sympy' in sys.modules; from gpkl_lib.tagger import Tagger; "
        "Tagger.load(sys.argv[1]); assert before or 'sympy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


class Evil:
    """Unpickled, it leaves a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.pretrained
def test_an_encoder_in_a_pickle_is_not_read(tiny_bert, tmp_path):
    model = Tagger.from_encoder(tiny_bert, ["a"]).encoder.model
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    (tiny_bert / "model.safetensors").unlink()
    torch.save(state, tiny_bert / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"no encoder could be loaded from the folder .*safetensors"):
        Tagger.from_encoder(tiny_bert, ["a"])
    (tiny_bert / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(tmp_path / "mark")))
    with pytest.raises(ValueError, match="no encoder could be loaded from the folder"):
        Tagger.from_encoder(tiny_bert, ["a"])
    assert not (tmp_path / "mark").exists()


OWN_CODE = {
    "tokenizer_config.json": {"auto_map": {"AutoTokenizer": [None, "evil.Words"]}, "tokenizer_class": "Words"},
    "config.json": {"auto_map": {"AutoModel": "evil.Model", "AutoConfig": "evil.Config"}, "model_type": "evil"},
}


@pytest.mark.pretrained
@pytest.mark.parametrize("name", OWN_CODE)
def test_code_of_an_encoder_is_not_run_nor_asked_about(tiny_bert, tmp_path, monkeypatch, name):
    asked = []
    monkeypatch.setattr("builtins.input", lambda *_: asked.append("?") or "y")
    Tagger.from_encoder(tiny_bert, ["a"], head_size=4).save(tmp_path / "saved")
    mark = tmp_path / "mark"
    for folder in (tiny_bert, tmp_path / "saved/tokenizer"):
        (folder / "evil.py").write_text(
            f"import os\nos.mkdir({str(mark)!r})\n"
            "from transformers import BertModel as Model, BertConfig as Config, BertTokenizerFast as Words\n"
        )
        known = json.loads((folder / name).read_text()) if (folder / name).exists() else {}
        (folder / name).write_text(json.dumps(known | OWN_CODE[name]))
    for load in (lambda: Tagger.from_encoder(tiny_bert, ["a"]), lambda: Tagger.load(tmp_path / "saved")):
        with contextlib.suppress(ValueError, CheckpointError):  # refused, or read by transformers' own code
            load()
    assert not asked
    assert not mark.exists()


@pytest.mark.pretrained
def test_settings_that_name_code_are_dropped_from_a_saved_encoder(tiny_bert, tmp_path):
    Tagger.from_encoder(tiny_bert, ["a"], head_size=4).save(tmp_path)
    value = json.loads((tmp_path / "tagger.json").read_text())
    value["encoder"]["config"] |= {"auto_map": {"AutoModel": "evil.Model"}, "attn_implementation": "some/kernel"}
    described(tmp_path, json.dumps(value))
    config = Tagger.load(tmp_path).encoder.model.config
    assert not hasattr(config, "auto_map")
    assert "some/kernel" not in str(config._attn_implementation)
    value["encoder"]["config"]["num_hidden_layers"] = 10**4
    described(tmp_path, json.dumps(value))
    with pytest.raises(CheckpointError, match="asks for more than"):
        Tagger.load(tmp_path)
