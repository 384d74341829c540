"""Texts of every kind in, spans and entities out; streams; and what is tuned is kept with the weights."""

import doctest
import json
import warnings
from itertools import chain, count, islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from taggers import CORPUS, small_tagger, talkative

from gpkl_lib._storage import CheckpointError
from gpkl_lib.corpora import Row, Sentence
from gpkl_lib.spans import span_scores
from gpkl_lib.tagger import DECODING, Tagger, calibration, entities, places, predictor
from gpkl_lib.tagger.calibration import Calibration, Threshold, choose_threshold, fit_calibration

TAGGER = talkative(small_tagger())
TEXT = "Anna  works at\u00a0Berlin University, 北京大学; e\u0301clair 👩‍🔬!"


def test_strings_tokens_sentences_and_rows_are_read_alike():
    words = ["Anna", "works", "at", "Berlin", "."]
    given = [" ".join(words), words, tuple(words), Sentence(tuple(words), (("x", 0, 1),)), Row(tokens=words)]
    first, *others = TAGGER.predict(given)
    assert first
    assert all(found == first for found in others)
    assert TAGGER.predict(given[0]) == TAGGER.predict(given[3]) == first
    assert TAGGER.predict(iter(given)) == [first] * 5
    assert TAGGER.predict([]) == []
    assert TAGGER.entities([]) == []
    assert TAGGER.predict("") == TAGGER.predict(" \t") == []
    assert TAGGER.predict(["", "Anna"])[0] == []


@pytest.mark.parametrize("given", [["Anna", 3], [["Anna", 3]], [None], [{"text": "Anna"}]])
def test_what_is_no_text_is_named(given):
    where = f"texts[{len(given) - 1}]"
    for method in (TAGGER.predict, TAGGER.entities, lambda texts: list(TAGGER.stream(texts))):
        with pytest.raises(TypeError, match="a text is a string, a list of strings") as error:
            method(given)
        assert where in str(error.value)


@pytest.mark.parametrize("given", [3, b"abc", {"text": "Anna"}])
def test_what_holds_no_texts_is_refused(given):
    for method in (TAGGER.predict, TAGGER.entities, TAGGER.stream):
        with pytest.raises(TypeError, match=r"texts must be an iterable of texts, a list \[text\] .*, got ") as error:
            method(given)
        assert str(error.value).endswith(f"got {given!r}")


@pytest.mark.parametrize("given", ["Anna", Sentence(("Anna",))])
def test_a_stream_does_not_take_one_text_for_many(given):
    with pytest.raises(TypeError, match=r"a list \[text\] where there is one, got"):
        TAGGER.stream(given)
    assert next(TAGGER.stream([given])).tokens == ["Anna"]


def test_wrong_settings_are_named_at_once():
    for name, value, message in (
        ("threshold", float("nan"), "threshold must be a number, got nan"),
        ("batch_size", 0, "batch_size must be positive, got 0"),
        ("tokens", "bytes", "tokens must be one of auto, words, characters, got 'bytes'"),
        ("probability", True, "probability needs a curve fitted on labelled sentences"),
    ):
        with pytest.raises(ValueError, match=message):
            TAGGER.stream(["a"], **{name: value})
        with pytest.raises(ValueError, match=message):
            TAGGER.entities("a", **{name: value})
    for name, value, message in (
        ("batch_size", 1.5, r"batch_size must be a whole number, got 1\.5"),
        ("batch_size", True, "batch_size must be a whole number, got True"),
        ("threshold", "0", "threshold must be a number, got str"),
    ):
        for ask in (TAGGER.predict, TAGGER.entities):
            with pytest.raises(TypeError, match=message):
                ask("a", **{name: value})


@pytest.mark.parametrize("learn", ["calibrate", "tune_threshold"])
def test_what_is_learnt_from_is_a_corpus(learn):
    with pytest.raises(TypeError, match="corpus must be a Corpus, as read_corpus gives it, got list"):
        getattr(TAGGER, learn)([])


@settings(max_examples=60, deadline=None)
@given(some.one_of(some.just(TEXT), some.text(max_size=30)), some.sampled_from(["auto", "words", "characters"]))
def test_characters_are_those_of_the_string_as_it_was_given(text, tokens):
    (found,) = TAGGER.stream([text], tokens=tokens, threshold=-1e9)
    assert found.text == text
    assert found.tokens == [text[start:end] for start, end in found.places]
    length = len(found.tokens)
    if TAGGER.max_span_length is None:
        assert len(found.entities) == len(TAGGER.types) * length * (length + 1) // 2
    for entity in found.entities:
        assert entity.text == text[entity.start_char : entity.end_char]
        assert (entity.start_char, entity.end_char) == (
            found.places[entity.start_token][0],
            found.places[entity.end_token - 1][1],
        )
    assert found.sentence.spans == tuple(entity.span for entity in found.entities)


def test_entities_are_the_spans_with_their_logits():
    sentence = CORPUS[0]
    (logits,) = TAGGER(TAGGER.collate([sentence])).detach()
    found = TAGGER.entities([sentence])[0]
    assert [entity.span for entity in found] == TAGGER.predict([sentence])[0]
    assert len(found) > 3
    for entity in found:
        cell = logits[TAGGER.types.index(entity.type), entity.start_token, entity.end_token - 1]
        assert entity.score == pytest.approx(cell.item(), abs=1e-5)
        assert entity.text == " ".join(sentence.tokens[entity.start_token : entity.end_token])
        assert "probability" not in entity.record()
        assert json.dumps(entity.record())


def test_a_stream_is_read_no_farther_than_needed_and_keeps_its_order():
    taken = []

    def texts():
        for number in count():
            taken.append(number)
            yield f"Anna {'works ' * (number % 7)}{number}"

    for batch_size, ahead in ((1, 1), (2, 2 * predictor.POOL)):
        taken.clear()
        stream = TAGGER.stream(texts(), batch_size=batch_size)
        assert taken == []
        assert next(stream).text == "Anna 0"
        assert len(taken) == ahead
        for number, found in enumerate(islice(stream, 2 * ahead), 1):
            assert found.tokens[-1] == str(number)
            assert [e.span for e in found.entities] == TAGGER.predict(found.text)
        assert len(taken) <= 4 * ahead


def test_batches_are_of_like_length(monkeypatch):
    widths, collate = [], Tagger.collate

    def watched(self, sentences, **more):
        widths.append([len(sentence) for sentence in sentences])
        return collate(self, sentences, **more)

    monkeypatch.setattr(Tagger, "collate", watched)
    texts = ["a " * (1 + n % 2 * 20) for n in range(8)]
    TAGGER.entities(texts, batch_size=4)
    assert widths == [[1] * 4, [21] * 4]


def test_what_the_encoder_cannot_be_shown_is_said_once_for_a_stream(monkeypatch):
    monkeypatch.setattr(type(TAGGER.encoder), "survey", lambda self, sentences: {"odd": len(list(sentences))})
    with pytest.warns(UserWarning, match="of 40 sentences: 40 odd") as told:
        assert len(list(TAGGER.stream(["a"] * 40, batch_size=2))) == 40
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TAGGER.predict(["a"], warn=False)


def test_a_stream_leaves_the_tagger_as_it_was_between_texts():
    tagger = small_tagger().train()
    for _ in tagger.stream(["a", "b"], batch_size=1):
        assert tagger.training


def tuned():
    """A tagger whose scores of dev are those of its gold spans and of others, mixed."""
    tagger = talkative(small_tagger())
    assert tagger.calibration is None
    assert tagger.threshold == 0.0
    return tagger


def test_the_threshold_is_the_best_of_all_and_is_used():
    tagger = tuned()
    truth = [sentence.spans for sentence in CORPUS]
    chosen = tagger.tune_threshold(CORPUS)
    assert tagger.threshold == chosen.value != 0
    assert span_scores(tagger.predict(CORPUS.sentences), truth).f1 == pytest.approx(chosen.f1)
    assert span_scores(tagger.predict(CORPUS.sentences, threshold=0.0), truth).f1 == pytest.approx(chosen.f1_at_zero)
    for other in torch.linspace(-4.9, 5, 60).tolist():
        assert span_scores(tagger.predict(CORPUS.sentences, threshold=other), truth).f1 <= chosen.f1 + 1e-9
    assert "on toy(" in str(chosen)
    with pytest.raises(ValueError, match="has no span"):
        tagger.tune_threshold(type(CORPUS)("bare", [Sentence(("a",))]))


def test_probabilities_follow_the_scores_and_are_kept(tmp_path):
    tagger = tuned()
    tagger.calibration = Calibration(0.5, -1.0, "dev", 10, 5)
    tagger.tune_threshold(CORPUS)
    found = tagger.entities(CORPUS.sentences, probability=True)
    for entity in chain.from_iterable(found):
        assert entity.probability == pytest.approx(torch.sigmoid(torch.tensor(0.5 * entity.score - 1)).item(), abs=1e-6)
        assert entity.record()["probability"] == pytest.approx(entity.probability, abs=1e-5)
    digest, fingerprint = tagger.digest(), tagger.fingerprint()
    tagger.save(tmp_path)
    loaded = Tagger.load(tmp_path)
    assert (loaded.calibration, loaded.chosen) == (tagger.calibration, tagger.chosen)
    assert (loaded.digest(), loaded.fingerprint()) == (digest, fingerprint)
    assert loaded.entities(CORPUS.sentences, probability=True) == found
    small_tagger(seed=5).save(tmp_path)  # other weights take their place: what was chosen for these goes
    assert not (tmp_path / DECODING).exists()
    assert Tagger.load(tmp_path).calibration is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value | {"tagger": "0" * 64}, "is of other weights than lie beside it"),
        (lambda value: value | {"calibration": {**value["calibration"], "slope": -1.0}}, "slope must be positive"),
        (lambda value: value | {"calibration": {**value["calibration"], "offset": "1"}}, "offset must be a float"),
        (lambda value: value | {"calibration": {**value["calibration"], "offset": float("inf")}}, "offset must be"),
        (lambda value: value | {"threshold": 3.0}, "expected value, f1, f1_at_zero, corpus"),
        (lambda value: {key: value[key] for key in value if key != "threshold"}, "threshold"),
    ],
)
def test_a_damaged_choice_is_refused(tmp_path, change, message):
    tagger = small_tagger()
    tagger.calibration = Calibration(0.5, -1.0, "dev", 10, 5)
    tagger.save(tmp_path)
    file = tmp_path / DECODING
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    with pytest.raises(CheckpointError, match=message):
        Tagger.load(tmp_path)


def test_a_run_and_its_best_and_a_taggers_folder_are_one_place(tmp_path):
    TAGGER.save(tmp_path / "run" / "best")
    for place in ("run", "run/best"):
        assert Tagger.load(tmp_path / place).digest() == TAGGER.digest()


def test_the_curve_is_the_one_that_made_the_labels():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(20_000, generator=generator) * 4
    right = torch.rand(20_000, generator=generator) < torch.sigmoid(0.7 * scores - 1.5)
    curve = fit_calibration(scores.tolist(), right.tolist(), "dev")
    assert curve.slope == pytest.approx(0.7, abs=0.03)
    assert curve.offset == pytest.approx(-1.5, abs=0.06)
    assert (curve.candidates, curve.right, curve.corpus) == (20_000, int(right.sum()), "dev")
    for apart in ([-3.0, -2.0, 2.0, 3.0], [-300.0, -200.0, 200.0, 300.0]):  # no overlap: finite, by Platt's targets
        sure = fit_calibration(apart, [False, False, True, True], "dev")
        assert 0.5 < sure.probability(apart[2]) < 1
        assert sure.probability(-1e9) == 0.0
        assert sure.probability(1e9) == 1.0


@pytest.mark.parametrize(
    ("scores", "right", "message"),
    [
        ([], [], "0 are gold and 0 are not"),
        ([1.0], [True], "1 are gold and 0 are not"),
        ([1.0, 2.0, -1.0, -2.0], [False, False, True, True], "gold spans score no higher"),
    ],
)
def test_no_curve_from_nothing(scores, right, message):
    with pytest.raises(ValueError, match=message):
        fit_calibration(scores, right, "dev")


def test_zero_stays_where_nothing_is_better():
    assert choose_threshold([2.0, -2.0], [True, False], 1, "dev") == Threshold(0.0, 1.0, 1.0, "dev")
    assert choose_threshold([], [], 3, "dev").value == 0.0
    tied = choose_threshold([1.0, 1.0], [True, False], 1, "dev")
    assert tied.value == 0.0  # no threshold parts two equal scores


def test_the_examples_run():
    for module in (predictor, entities, calibration, places):
        found = doctest.testmod(module)
        assert found.failed == 0
        assert found.attempted
