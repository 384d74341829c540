"""`gpkl evaluate`: scores, errors by class, the report as JSON and as a page, what is tuned."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import Visit, axe
from commands import fails

from gpkl_lib.cli import main
from gpkl_lib.cli.evaluate import text_of
from gpkl_lib.corpora import Sentence, read_corpus, toy_corpus, write_jsonl
from gpkl_lib.spans import span_scores
from gpkl_lib.tagger import Tagger


def test_evaluate_agrees_with_training(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    scores = tmp_path / "scores.json"
    assert main(["evaluate", str(run), str(run.parent / "test.jsonl"), "--output", str(scores)]) == 0
    report = json.loads(scores.read_text())
    assert report.pop("threshold") == 0.0
    assert report == json.loads((run / "scores.json").read_text())["test"]
    assert report["by_type"]["organisation"].keys() >= {"precision", "recall", "f1", "correct", "predicted", "gold"}
    out = capsys.readouterr().out
    assert "precision" in out
    assert "organisation" in out


def test_evaluate_says_which_types_the_tagger_does_not_know(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "f.conll").write_text("Anna B-person\nsings O\nJazz B-genre\n")
    assert main(["evaluate", str(run), str(tmp_path / "f.conll")]) == 0
    assert "not trained for, all missed: genre" in capsys.readouterr().err


@pytest.fixture
def own(run: Path, tmp_path: Path) -> Path:
    """A copy of the run, for who writes into it."""
    shutil.copytree(run, tmp_path / "own")
    return tmp_path / "own"


def test_errors_are_told_by_class_and_add_up(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file, report = run.parent / "test.jsonl", tmp_path / "report.json"
    words = ["evaluate", str(run), str(file), "--errors", "--threshold", "-1", "--output", str(report)]
    assert main(words) == 0
    said = capsys.readouterr()
    for heading in ("wrong type", "boundary", "missed", "spurious", "inside another span", "mean of types (macro)"):
        assert heading in said.out
    assert "spans scored above -1 are found" in said.err
    told = json.loads(report.read_text())
    gold, found = read_corpus(file), Tagger.load(run).predict(read_corpus(file).sentences, threshold=-1.0)
    scores = span_scores(found, [s.spans for s in gold])
    assert told["f1"] == scores.f1
    assert told["macro_f1"] == scores.macro_f1
    assert told["threshold"] == -1.0
    sides = told["errors"]
    assert sides["gold"]["spans"] == scores.gold
    assert sides["predicted"]["spans"] == scores.predicted
    assert sides["gold"] == {key: sum(t["gold"][key] for t in sides["by_type"].values()) for key in sides["gold"]}
    assert sides["nested"]["gold"]["spans"] == sum(len(s.nested()) for s in gold) > 0
    assert sum(cell["count"] for cell in told["confusion"] if cell["gold"]) == scores.gold
    errors = Counter(one["error"] for one in told["wrong"])
    assert errors["missed"] == sides["gold"]["missed"]
    assert errors["spurious"] == sides["predicted"]["spurious"] > 0
    assert set(errors) <= {"wrong_type", "wrong_boundary", "missed", "spurious"}
    for one in told["wrong"]:
        sentence = gold[one["sentence"] - 1]
        for span in (one["gold"], one["predicted"]):
            if span:
                tokens = sentence.tokens[span["start_token"] : span["end_token"]]
                assert span["text"] == " ".join(tokens)
        if one["gold"]:
            assert (one["gold"]["type"], one["gold"]["start_token"], one["gold"]["end_token"]) in sentence.spans


def test_without_errors_the_report_has_the_scores_alone(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["evaluate", str(run), str(run.parent / "test.jsonl"), "--output", str(tmp_path / "a.json")]) == 0
    assert "spurious" not in capsys.readouterr().out
    assert json.loads((tmp_path / "a.json").read_text()).keys().isdisjoint({"errors", "confusion", "wrong"})


def test_the_report_as_a_page_shows_every_verdict(run: Path, tmp_path: Path):
    page, report = tmp_path / "report.html", tmp_path / "report.json"
    for output in (page, report):
        words = ["--errors", "--threshold", "-1", "--output", str(output)]
        assert main(["evaluate", str(run), str(run.parent / "test.jsonl"), *words]) == 0
    source, told = page.read_text().partition("</style>")[2], json.loads(report.read_text())
    keys = dict(re.findall(r"<span>(?:. )?([\w ]+)</span> ([\d,]+)</label>", source))
    assert keys == {
        "correct": str(told["correct"]),
        "wrong type": str(told["errors"]["gold"]["wrong_type"]),
        "wrong boundary": str(told["errors"]["gold"]["wrong_boundary"]),
        "missed": str(told["errors"]["gold"]["missed"]),
        "spurious": str(told["errors"]["predicted"]["spurious"]),
    }
    assert source.count('class="quiet"') + source.count("class=quiet") == sum(
        n not in {one["sentence"] for one in told["wrong"]} for n in range(1, 21)
    )
    drawn = len(re.findall(r"data-name=", source))
    assert drawn == sum(map(int, keys.values())) + int(keys["wrong boundary"])  # both spans of these
    assert source.count("<table>") == 3
    assert "<script" not in source


@pytest.mark.browser
def test_the_report_keeps_nobody_out(run: Path, tmp_path: Path, open_page: Callable[..., Visit]):
    page = tmp_path / "report.html"
    assert main(["evaluate", str(run), str(run.parent / "test.jsonl"), "--output", str(page)]) == 0
    for scheme in ("light", "dark"):
        visit = open_page(page.as_uri(), width=390, scheme=scheme, settle=False)
        assert visit.requests == [page.as_uri()]
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        visit.page.add_script_tag(content=axe())
        assert visit.page.evaluate("axe.run().then((found) => found.violations.map((one) => one.id))") == []
        visit.page.locator("#quiet").uncheck()
        assert visit.page.locator("li:visible").count() == visit.page.locator("li:not(.quiet)").count()


def test_a_text_without_spaces_is_shown_without():
    assert text_of(Sentence(("北", "京", "大学"))) == ("北京大学", [(0, 1), (1, 2), (2, 4)])
    assert text_of(Sentence(("a", "b"))) == ("a b", [(0, 1), (2, 3)])


def test_a_threshold_is_tuned_kept_and_used(own: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    dev, test = str(own.parent / "dev.jsonl"), str(own.parent / "test.jsonl")
    for part in ("dev", "test"):
        write_jsonl(own.parent / f"{part}.jsonl", toy_corpus(20, split=part))
    weights = (own / "best" / "model.safetensors").read_bytes()
    assert main(["evaluate", str(own), dev, "--tune-threshold", "--output", str(tmp_path / "dev.json")]) == 0
    said, tagger = capsys.readouterr().err, Tagger.load(own)
    assert tagger.chosen
    assert f"threshold {tagger.threshold:.4g}: F1 {tagger.chosen.f1:.4f} on {dev}, which chose it, against" in said
    assert "predict and evaluate use it; scores on" in said
    assert json.loads((tmp_path / "dev.json").read_text())["f1"] == tagger.chosen.f1 > tagger.chosen.f1_at_zero
    assert (own / "best" / "model.safetensors").read_bytes() == weights
    assert tagger.calibration  # that of training stays
    for words, threshold in (([], tagger.threshold), (["--threshold", "0"], 0.0)):
        assert main(["evaluate", str(own), test, *words, "--output", str(tmp_path / "test.json")]) == 0
        gold = [s.spans for s in toy_corpus(20, split="test")]
        wanted = span_scores(tagger.predict(toy_corpus(20, split="test").sentences, threshold=threshold), gold)
        assert json.loads((tmp_path / "test.json").read_text())["f1"] == wanted.f1
    message = fails(capsys, "evaluate", str(own), dev, "--tune-threshold", "--threshold", "1")
    assert "--threshold gives what --tune-threshold looks for" in message
    assert main(["train", "--resume", "--output", str(own)]) == 0  # scores at the threshold that it trains for
    assert json.loads((own / "scores.json").read_text())["dev"]["f1"] == tagger.chosen.f1_at_zero
    assert Tagger.load(own).chosen == tagger.chosen


def test_probabilities_are_fitted_on_the_file(own: Path, capsys: pytest.CaptureFixture[str]):
    before = Tagger.load(own).calibration
    assert main(["evaluate", str(own), "toy:dev", "--calibrate"]) == 0
    curve = Tagger.load(own).calibration
    assert curve
    assert curve != before
    assert curve.corpus == "toy:dev"
    assert f"probability = sigmoid({curve.slope:.3g} x score" in capsys.readouterr().err
    (own / "none.conll").write_text("Anna B-genre\n")
    assert "no probabilities can be fitted on" in fails(
        capsys, "evaluate", str(own), str(own / "none.conll"), "--calibrate"
    )
    assert Tagger.load(own).calibration == curve


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (("用", "iPhone", "手机", "，", "好"), "用iPhone手机，好"),
        (("北京", "大学", "press", "and", "friends"), "北京大学press and friends"),
        (("서울", "대학교"), "서울 대학교"),
        (("A", "n", "n", "a", " ", "r", "a", "n"), "Anna ran"),
        (("5", "%", "of", "I"), "5 % of I"),
        (("我", "最", "喜", "爱", "B", "B", "C"), "我最喜爱BBC"),
    ],
)
def test_tokens_are_joined_as_they_were_written(tokens: tuple[str, ...], text: str) -> None:
    joined, places = text_of(Sentence(tokens))
    assert joined == text
    assert [joined[start:end] for start, end in places] == list(tokens)
