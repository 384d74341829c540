"""The command line with vat, uda and distillation: their sources, their settings, tuning on a few seeds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import SMALL, fails

from gpkl_lib._storage import read_rows
from gpkl_lib.cli import main
from gpkl_lib.corpora import toy_corpus, write_jsonl
from gpkl_lib.training.history import History

TINY = [*SMALL, "--epochs", "1"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three small files; the last nine sentences of the first are not learnt from."""
    folder, words = tmp_path_factory.mktemp("files"), ["--limit-train", "15"]
    for part, size in (("train", 24), ("dev", 8), ("test", 8)):
        write_jsonl(folder / f"{part}.jsonl", toy_corpus(size, split=part))
        words += [f"--{part}", str(folder / f"{part}.jsonl")]
    return words


@pytest.fixture(scope="module")
def teacher(files: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folders of two runs, with {seed} in the place of the seed."""
    folder = tmp_path_factory.mktemp("teachers")
    for seed in ("0", "1"):
        assert main(["train", *files, *TINY, "--seed", seed, "--output", str(folder / f"t{seed}")]) == 0
    return str(folder / "t{seed}")


def told(folder: Path) -> dict[str, object]:
    config: dict[str, object] = json.loads((folder / "config.json").read_text())
    return config


def test_train_by_each_method(tmp_path: Path, files: list[str], teacher: str):
    for name, words in {
        "vat": ["--epsilon", "0.3", "--power-iterations", "2"],
        "uda": ["--unlabelled", "9", "--divide", "confident", "--threshold", "0", "--annealing", "log"],
        "distillation": ["--teacher", teacher, "--temperature", "inf"],
    }.items():
        output = tmp_path / name
        assert main(["train", *files, *TINY, "--method", name, *words, "--output", str(output)]) == 0
        assert History.load(output).rows[0]["divergence"] > 0
        assert main(["train", "--resume", "--output", str(output)]) == 0
    assert told(tmp_path / "vat")["config"]["epsilon"] == 0.3  # type: ignore[index]
    assert told(tmp_path / "uda")["unlabelled"]["sentences"] == 9  # type: ignore[index]
    assert told(tmp_path / "distillation")["config"]["temperature"] == "inf"  # type: ignore[index]
    assert told(tmp_path / "distillation")["teacher"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--unlabelled", "9"], toy_corpus(33)[24:]),
        (["--limit-train", "10", "--unlabelled", "20"], toy_corpus(30)[10:]),
        (["--limit-train", "10", "--unlabelled", "rest"], toy_corpus(24)[10:]),
    ],
)
def test_unlabelled_toy_sentences_are_those_after_the_learnt_ones(words: list[str], expected: object, tmp_path: Path):
    from gpkl_lib.cli.inputs import task
    from gpkl_lib.cli.parser import build_parser

    found = task(build_parser().parse_args(["train", "--toy-size", "24", *words]))
    assert found.unlabelled is not None
    assert [s.tokens for s in found.unlabelled] == [s.tokens for s in expected]  # type: ignore[attr-defined]
    learnt = {sentence.tokens for sentence in found.train}
    assert not learnt & {sentence.tokens for sentence in found.unlabelled}


def test_unlabelled_sentences_of_a_file_and_of_the_rest_of_train(tmp_path: Path):
    from gpkl_lib.cli.inputs import task
    from gpkl_lib.cli.parser import build_parser

    for part, size in (("train", 30), ("dev", 8)):
        write_jsonl(tmp_path / f"{part}.jsonl", toy_corpus(size, split=part))
    (tmp_path / "more.jsonl").write_text('{"tokens": ["No", "labels", "here"]}\n')
    files = ["--train", str(tmp_path / "train.jsonl"), "--dev", str(tmp_path / "dev.jsonl"), "--limit-train", "12"]

    def unlabelled(wanted: str) -> list[tuple[str, ...]]:
        found = task(build_parser().parse_args(["train", *files, "--unlabelled", wanted]))
        assert len(found.train) == 12
        assert found.unlabelled is not None
        return [sentence.tokens for sentence in found.unlabelled]

    everything = [sentence.tokens for sentence in toy_corpus(30)]
    assert unlabelled("rest") == everything[12:]
    assert unlabelled("5") == everything[12:17]
    assert unlabelled(str(tmp_path / "more.jsonl")) == [("No", "labels", "here")]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "--method", "uda"], "method uda learns from --unlabelled; give it"),
        (["train", "--method", "distillation"], "method distillation learns from --teacher; give it"),
        (["train", "--unlabelled", "9"], "--unlabelled is for method uda or vat-unlabelled, which is not asked for"),
        (["compare", "--methods", "none", "--teacher", "t"], "--teacher is for method distillation"),
        (["compare", "--methods", "none", "uda"], "method uda learns from --unlabelled"),
        (["train", "--method", "uda", "--unlabelled", "0"], "--unlabelled 0: beyond what is learnt"),
        (["train", "--method", "uda", "--unlabelled", "rest"], "there are 0 sentences in toy(size=200"),
        (["train", "--method", "uda", "--unlabelled", "no-file"], "no-file: no such file"),
        (["train", "--method", "distillation", "--teacher", "nowhere"], "nowhere"),
        (["compare", "--methods", "distillation", "--teacher", "x-{seed}"], "no teacher in x-0"),
        (["train", "--method", "vat", "--epsilon", "0"], "--epsilon must be positive with vat, got 0.0"),
        (
            ["train", "--method", "uda", "--unlabelled", "9", "--temperature", "inf"],
            "--temperature must be positive and finite with uda",
        ),
        (["train", "--hide", "0.7", "--exchange", "0.4"], "--exchange must be between 0 and 1 - hide"),
        (["compare", "--methods", "none", "vat", "--alphas", "0", "1"], "alpha 0 is two views"),
        (["compare", "--seeds", "0", "1", "--tuning-seeds", "5"], "--tuning-seeds must be among --seeds"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_2(
    words: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    assert expected in fails(capsys, *words)


@pytest.mark.parametrize(
    ("words", "settings", "expected"),
    [
        (["--alpha", "1"], "", ["--alpha has no effect with --method none"]),
        (["--alpha=0.4", "--epsilon", "0.3", "--method=copies"], "",
            [f"--{name} has no effect with --method copies" for name in ("alpha", "epsilon")]),
        (["--alpha", "0.4", "--method", "sigmoid"], "", []),
        (["--method", "sigmoid"], "alpha = 0.4\nepsilon = 0.3\n", ["--epsilon has no effect with --method sigmoid"]),
        ([], "alpha = 1.0\nalpha-warmup = 0.2\n", []),
    ],
)  # fmt: skip
def test_what_the_method_does_not_look_at_is_said(
    words: list[str], settings: str, expected: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    if settings:
        (tmp_path / "settings.toml").write_text(settings)
        words = [*words, "--config", str(tmp_path / "settings.toml")]
    assert main(["train", "--toy-size", "20", *SMALL, *words, "--output", str(tmp_path / "run")]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "has no effect" in line]
    assert said == [f"warning: {each}" for each in expected]


def test_a_teacher_of_other_types_is_refused(teacher: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "mine.conll").write_text("Mars B-planet\nshines O\n\n" * 20)
    words = ["--train", str(tmp_path / "mine.conll"), "--method", "distillation", "--teacher", teacher]
    message = fails(capsys, "train", *SMALL, *words, "--output", str(tmp_path / "run"))
    assert "the teacher must know the types of the tagger, planet; it knows event, organisation" in message


@pytest.mark.slow
@pytest.mark.slow
def test_compare_tunes_on_a_few_seeds_and_runs_the_choice_on_all(
    files: list[str], teacher: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    output = tmp_path / "rows.jsonl"
    words = [
        "compare",
        *files,
        *TINY,
        "--methods",
        "none",
        "sigmoid",
        "vat",
        "uda",
        "distillation",
        "--alphas",
        "0.1",
        "1",
    ]
    words += ["--epsilons", "0.1", "0.3", "--divides", "all", "confident", "--unlabelled", "9", "--teacher", teacher]
    words += ["--temperatures", "1", "2", "--tuning-seeds", "1", "--seeds", "0", "1", "--output", str(output)]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "tuned on seeds 1; with every seed:" in said.err
    assert "[1/" in said.err
    for method in ("two views", "vat", "uda, by all", "uda, by confident", "distillation, T"):
        assert (method in said.out) == (method != "two views")
    rows = read_rows(output)
    tuning = 1 + 2 + 4 + 8 + 4
    chosen = 1 + 1 + 1 + 2 + 2
    assert [row["config"]["seed"] for row in rows] == [1] * tuning + [0] * chosen
    assert len({row["key"] for row in rows}) == len(rows)
    assert all(row["provenance"]["command"].startswith("gpkl compare") for row in rows)
    best: dict[str, list[float]] = {}
    for row in rows[:tuning]:
        best.setdefault(row["config"]["method"] + row["config"].get("divide", ""), []).append(row["dev"]["f1"])
    for row in rows[tuning:]:  # the variant that was best with the tuning seed
        config = {name: value for name, value in row["config"].items() if name != "teacher"} | {"seed": 1}
        (same,) = [r for r in rows[:tuning] if {k: v for k, v in r["config"].items() if k != "teacher"} == config]
        if row["config"]["method"] != "distillation":
            assert same["dev"]["f1"] == max(best[row["config"]["method"] + row["config"].get("divide", "")])
    students = [row for row in rows if row["config"]["method"] == "distillation"]
    assert {(row["config"]["seed"], row["teacher"]["folder"]) for row in students} == {
        (seed, teacher.replace("{seed}", str(seed))) for seed in (0, 1)
    }
    before = output.read_bytes()
    assert main(words) == 0
    assert output.read_bytes() == before


@pytest.mark.parametrize("command", ["train", "compare"])
def test_help_names_every_setting(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    plural = "s" if command == "compare" else ""
    for flag in (f"--epsilon{plural} ", f"--temperature{plural} ", f"--threshold{plural} ", f"--divide{plural} "):
        assert flag in text
    for flag in ("--unlabelled SOURCE", "--teacher DIR", "--annealing", "--hide", "--exchange", "--power-iterations"):
        assert flag in text
    assert ("--tuning-seeds" in text) == (command == "compare")
