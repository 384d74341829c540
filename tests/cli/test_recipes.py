"""Recipes: what a TOML file asks for, what it may not say, and that nothing is done twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gpkl_lib import cli
from gpkl_lib.cli import read_recipe
from gpkl_lib.corpora import toy_corpus, write_jsonl
from gpkl_lib.experiments import read_rows

SMALL = """
device = "cpu"
epochs = 1
toy-size = 12
hidden-size = 8
seeds = [0]
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("small.toml")


def test_what_is_shared_stands_in_each_run_and_its_own_goes_before(written: Path) -> None:
    written.write_text(
        SMALL + "[shared.long]\nepochs = 5\nhidden-size = 9\n"
        '[[runs]]\nshared = "long"\nhidden-size = 10\n[[runs]]\nmethods = ["none", "sigmoid"]\nalphas = [0, 1e-4]\n'
    )
    first, second = (recipe := read_recipe(written)).runs
    assert (first["epochs"], first["hidden-size"], first["toy-size"]) == (5, 10, 12)
    assert (second["epochs"], second["hidden-size"]) == (1, 8)
    assert recipe.record == Path("small.jsonl")
    arguments, words = recipe.arguments("compare", second)
    assert " ".join(words).endswith("--seeds 0 --methods none sigmoid --alphas 0 0.0001")
    assert (arguments.methods, arguments.alphas, arguments.epochs) == (["none", "sigmoid"], [0.0, 0.0001], 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[runs]]\nmethod = ["none"]', "'method' is no setting of compare; did you mean 'methods'?"),
        ("epoch = 3\n[[runs]]\nepochs = 1", "'epoch' is no setting of compare; did you mean 'epochs'?"),
        ("[[runs]]\noutput = 'x'", "'output' is no setting of compare"),
        ("[wnut]\nlimit-train = 3\n[[runs]]\nepochs = 1", "'wnut' is no setting of compare"),
        ('[[runs]]\nshared = "wnut"', "shared = 'wnut', but there is no [shared.wnut]"),
        ('[[runs]]\nepochs = "three"', "argument --epochs: invalid int value: 'three'"),
        ('[[runs]]\nmethods = ["nine"]', "argument --methods: invalid choice: 'nine'"),
        ('[[teachers]]\noutput = "t"\nepoch = 3\n[[runs]]\nepochs = 1', "'epoch' is no setting of train"),
        ("[[teachers]]\nepochs = 3\n[[runs]]\nepochs = 1", "a teacher needs an output"),
        (
            '[links]\n"runs/e" = "not_there/model"\n[[runs]]\nepochs = 1',
            "runs/e leads into a package: pip install not-",
        ),
        ("seeds = [1", "no TOML"),
        ("epochs = 1", "a recipe needs at least one [[runs]]"),
        ("[runs]\nepochs = 1", "a recipe needs at least one [[runs]]"),
        ('recorder = "boards"\n[[runs]]\nsentences = [1]', "is for boards: python -m gpkl_lib.chapters.recorders"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(
    text: str, said: str, written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written.write_text(text)
    assert cli.main(["compare", "--recipe", str(written)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "small.toml" in line
    assert said in line
    assert not Path("small.jsonl").exists()


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words of each `gpkl compare`, which is not run."""
    seen: list[str] = []
    monkeypatch.setitem(cli.RUN, "compare", lambda arguments, words: seen.append(" ".join(words)))
    return seen


def test_only_where_and_how_many_at_a_time_is_typed_beside_a_recipe(
    written: Path, compared: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    written.write_text(SMALL + 'jobs = 2\n[[runs]]\nmethods = ["none"]\n[[runs]]\nmethods = ["vat"]\n')
    assert cli.main(["compare", "--recipe", str(written), "--seeds", "1"]) == 2
    assert "leave out seeds" in capsys.readouterr().err
    assert compared == []
    assert cli.main(["compare", "--recipe", str(written)]) == 0
    assert cli.main(["compare", "--recipe", str(written), "--output", "other.jsonl", "--jobs", "1"]) == 0
    settings = "compare --device cpu --epochs 1 --toy-size 12 --hidden-size 8 --seeds 0 --jobs"
    assert compared == [
        f"{settings} {jobs} --methods {method} --output {output}"
        for jobs, output in ((2, "small.jsonl"), (1, "other.jsonl"))
        for method in ("none", "vat")
    ]


def test_a_teacher_and_the_runs_are_made_once(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl(Path("mine.jsonl"), toy_corpus(12))
    small = 'device = "cpu"\nepochs = 1\nhidden-size = 8\ntrain = "mine.jsonl"\ndev = "mine.jsonl"\n'
    written.write_text(
        f'{small}seeds = [0]\nmethods = ["none", "distillation"]\n'
        f'[[teachers]]\noutput = "runs/teacher"\n{small}[[runs]]\nteacher = "runs/teacher"\n'
    )
    words = ["compare", "--recipe", str(written)]
    weights = Path("runs/teacher/best/model.safetensors")
    assert cli.main(words) == 0
    kept = Path("small.jsonl").read_bytes(), weights.read_bytes()
    assert [row["config"]["method"] for row in read_rows(Path("small.jsonl"))] == ["none", "distillation"]
    assert "run folder: runs/teacher" in capsys.readouterr().err
    assert cli.main(words) == 0
    said = capsys.readouterr().err
    assert "2 of 2 runs are there already" in said
    assert "run folder" not in said
    Path("runs/teacher/scores.json").unlink()  # as a kill leaves it
    assert cli.main(words) == 0
    assert Path("runs/teacher/scores.json").exists()
    assert (Path("small.jsonl").read_bytes(), weights.read_bytes()) == kept


def test_a_link_leads_to_the_folder_of_a_package(written: Path, compared: list[str]) -> None:
    written.write_text(SMALL + '[links]\n"runs/here" = "gpkl_lib/cli"\n[[runs]]\nmethods = ["none"]\n')
    Path("runs").mkdir()
    Path("runs/here").symlink_to("nowhere")
    assert cli.main(["compare", "--recipe", str(written)]) == 0
    assert os.path.samefile("runs/here", Path(cli.__file__).parent)
    assert len(compared) == 1


def test_where_no_link_can_be_made_it_is_a_copy(
    written: Path, compared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    written.write_text(SMALL + '[links]\n"runs/here" = "gpkl_lib/cli"\n[[runs]]\nmethods = ["none"]\n')
    for _ in range(2):  # the second time it is there
        assert cli.main(["compare", "--recipe", str(written)]) == 0
    assert Path("runs/here/recipes.py").read_bytes() == Path(cli.__file__).with_name("recipes.py").read_bytes()
    assert [path.name for path in Path("runs").iterdir() if "here" in path.name] == ["here"]
