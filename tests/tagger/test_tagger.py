"""The tagger from scratch: its scores, its predictions, its embeddings, which virtual adversarial training moves."""

import pytest
import torch
from taggers import CORPUS, check_embeddings, scores, small_tagger, talkative
from torch import nn

from gpkl_lib import span_mask, virtual_adversarial_loss
from gpkl_lib.corpora import Sentence
from gpkl_lib.tagger.tagger import Tagger
from gpkl_lib.tagger.word_encoder import BidirectionalLSTM, WordEncoder


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
            activation="sigmoid",
            class_dims=2,
            mask=spans,
            embedding_mask=mask,
            generator=torch.Generator().manual_seed(0),
        )

    assert loss(1e-3) < 1e-3 < loss(3.0)  # the same dropout on both sides
    assert all(parameter.grad is None for parameter in tagger.parameters())
    loss(3.0).backward()
    touched = {name for name, parameter in tagger.named_parameters() if parameter.grad is not None}
    assert {"encoder.words.weight", "head.projection.weight"} <= touched
