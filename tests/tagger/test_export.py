"""A tagger as a graph of torch.export and as an ONNX file: at other sizes than it was traced at, the same decisions."""

import doctest
import json

import pytest
import torch
from taggers import CORPUS, small_tagger, talkative

import gpkl_lib.tagger.export
from gpkl_lib.corpora import Sentence
from gpkl_lib.spans import decode_spans
from gpkl_lib.tagger import Tagger, export_onnx, export_program

BATCHES = (CORPUS.sentences[:7], CORPUS.sentences[3:4], (Sentence(("Berlin",)), *CORPUS.sentences[:1]))
"""Seven sentences with padding, one alone, and one of a single word beside a long one: none of a trace's sizes."""
PIECES = tuple(Sentence(("berlin", "is", "a", "city", ".") * times) for times in (1, 5, 2, 1, 3))
LONG = (PIECES, PIECES[:1], PIECES[1:2], (Sentence(("is",)),))
"""In a model of 12 positions: windows of three, one and one; one word."""

old = not hasattr(torch.export.Dim, "DYNAMIC")
pytestmark = pytest.mark.skipif(old, reason=f"a graph of any length needs torch 2.6, this is {torch.__version__}")


def inputs(tagger, sentences):
    batch = tagger.collate(sentences, labels=False)
    return {**batch.inputs, "attention_mask": batch.attention_mask}


def check(tagger, run, groups):
    """`run` maps a batch's inputs to scores: the tagger's, decided alike, and the spans that it predicts."""
    decided = 0
    for sentences in groups:
        given = inputs(tagger, sentences)
        with torch.no_grad():
            wanted = tagger.eval()(tagger.collate(sentences, labels=False))
        scores, longest = run(given), tagger.max_span_length or 10**6
        length = wanted.shape[-1]
        kept = torch.ones(length, length, dtype=torch.bool).triu().tril(longest - 1).expand_as(wanted)
        torch.testing.assert_close(scores[kept], wanted[kept], atol=1e-5, rtol=1e-5)
        assert (scores[~kept] == torch.finfo(scores.dtype).min).all()
        assert torch.equal(scores[kept] > 0, wanted[kept] > 0)
        found = decode_spans(scores, tagger.types, given["attention_mask"])
        assert found == tagger.predict(sentences, warn=False)
        decided += sum(map(len, found))
    assert decided > 10


def onnx_session(tagger, path):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        runtime = pytest.importorskip(package, reason="needs onnxruntime and the extra onnx")
    export_onnx(tagger, path)
    return runtime.InferenceSession(path)


def of_onnx(session):
    return lambda given: torch.from_numpy(session.run(["scores"], {k: v.numpy() for k, v in given.items()})[0])


@pytest.fixture(params=["global_pointer", "efficient"])
def tagger(request):
    tagger = talkative(small_tagger(head=request.param, layers=2, word_dropout=0.3))
    tagger.max_span_length = 4
    return tagger.train()


def test_a_program_saved_and_read_again_scores_other_batches_and_lengths(tagger, tmp_path):
    before = tagger.digest()
    torch.export.save(export_program(tagger), tmp_path / "tagger.pt2")
    assert tagger.training
    assert tagger.digest() == before
    module = torch.export.load(tmp_path / "tagger.pt2").module()
    check(tagger, lambda given: module(*given.values()), BATCHES)


def test_an_onnx_file_scores_other_batches_and_lengths(tagger, tmp_path):
    session = onnx_session(tagger, tmp_path / "tagger.onnx")
    assert [each.name for each in tmp_path.iterdir()] == ["tagger.onnx"]
    assert {each.name: each.shape for each in session.get_inputs()} == {
        "words": ["batch", "length"],
        "characters": ["batch", "length", "letters"],
        "attention_mask": ["batch", "length"],
    }
    assert json.loads(session.get_modelmeta().custom_metadata_map["gpkl"]) == tagger.description()
    check(tagger, of_onnx(session), BATCHES)


@pytest.mark.pretrained
def test_a_pretrained_tagger_reads_windows_in_a_graph(tiny_bert, tmp_path):
    tagger = talkative(Tagger.from_encoder(tiny_bert, ["a", "b", "c"], head_size=4))
    session = onnx_session(tagger, tmp_path / "tagger.onnx")
    assert [each.name for each in session.get_inputs()] == ["pieces", "piece_mask", "first", "attention_mask"]
    check(tagger, of_onnx(session), LONG)


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    def missing(name, *_):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=r"an ONNX file needs the package onnx.*gpkl-lib\[onnx\]"):
        export_onnx(small_tagger(), tmp_path / "tagger.onnx")


def test_what_no_file_can_hold_is_refused(monkeypatch, tmp_path):
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    monkeypatch.setattr(gpkl_lib.tagger.export, "LIMIT", 1000)
    with pytest.raises(ValueError, match="an ONNX file holds less than 2 GB"):
        export_onnx(small_tagger(), tmp_path / "tagger.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["export_program", "export_onnx"])
def test_the_examples_run(name, monkeypatch, tmp_path):
    if name == "export_onnx":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(package, reason="needs onnxruntime and the extra onnx")
    monkeypatch.chdir(tmp_path)
    (example,) = (e for e in doctest.DocTestFinder().find(getattr(gpkl_lib.tagger, name)) if e.examples)
    assert doctest.DocTestRunner().run(example) == (0, len(example.examples))
