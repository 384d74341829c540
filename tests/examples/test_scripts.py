"""Each example as a stranger has it: one file, copied to an empty folder, run on ten lines of his own."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from gallery import EXAMPLES, ten_lines, tiny_encoder

from gpkl_lib import Tagger, fit
from gpkl_lib.corpora import Row, write_jsonl, written_rows
from gpkl_lib.training import TrainingConfig

F1 = r"dev F1 0\.[1-9]\d{3}|dev F1 1\.0000"


class Script(NamedTuple):
    """A run of an example: what is typed after its name, what it needs, what it ends with, what it leaves behind."""

    arguments: str
    needs: tuple[str, ...]
    says: str
    leaves: str = ""


HUGGING_FACE = ("transformers", "accelerate")
SCRIPTS = {
    "plain_loop": [Script("train.jsonl dev.jsonl", (), rf"epoch 12: loss .*, task .*, divergence .*; ({F1})")],
    "trainer_global_pointer": [
        Script(
            "encoder train.jsonl dev.jsonl",
            HUGGING_FACE,
            r"dev F1 (0\.[1-9]\d{3}), saved and loaded \1",
            "tagger/model.safetensors",
        )
    ],
    "trainer_r_drop": [
        Script("texts encoder train.jsonl dev.jsonl", HUGGING_FACE, r"dev accuracy [01]\.\d{4}"),
        Script("tokens encoder train.jsonl dev.jsonl", HUGGING_FACE, r"dev accuracy [01]\.\d{4}"),
    ],
    "accelerate_loop": [
        Script("train.jsonl dev.jsonl", ("accelerate",), rf"epoch 8: loss \d.*, ({F1})", "tagger/model.safetensors")
    ],
    "lightning_module": [Script("train.jsonl dev.jsonl", ("lightning",), F1, "tagger/model.safetensors")],
    "log_epochs": [
        Script("tensorboard train.jsonl dev.jsonl", ("accelerate", "tensorboard"), "best epoch .*", "board/events.*"),
        Script("wandb train.jsonl dev.jsonl", ("accelerate", "wandb"), "best epoch .*", "wandb/offline-run-*/*.wandb"),
    ],
    "distil": [
        Script(
            "train.jsonl dev.jsonl",
            ("accelerate",),
            rf"teacher: .* ({F1})\nlabels alone: .* ({F1})\ntaught: .* ({F1})",
        )
    ],
    "spacy_component": [
        Script(
            "known 'Dr Tomo works at Bern University.'",
            ("spacy", "accelerate"),
            r"3-7 PER 'Tomo' \d\.\d\d\n17-21 LOC 'Bern' \d.\d\d\n17-32 ORG 'Bern University' \d\.\d\d",
            "pipeline/global_pointer/model.safetensors",
        )
    ],
    "from_seqeval": [
        Script(
            "",
            ("seqeval",),
            "micro F1: seqeval 0.5714, gpkl_lib 0.5714\nmacro F1: seqeval 0.5556, gpkl_lib 0.5556\n"
            "nested F1: gpkl_lib 1.0000",
        )
    ],
    "from_gliner": [
        Script(
            "train.json dev.json 'Ilse went to Bern.'",
            ("accelerate",),
            r"{'start': 0, 'end': 4, 'text': 'Ilse', 'label': 'PER', 'score': 0.\d+}\n"
            r"{'start': 13, 'end': 17, 'text': 'Bern', 'label': 'LOC', 'score': 0.\d+}",
        )
    ],
    "from_bert4torch": [
        Script(
            "", (), r"loss: bert4torch (\d+\.\d{4}), gpkl_lib \1\nR-Drop: bert4torch, alpha 4 (.*), gpkl_lib, 4/5 \2"
        )
    ],
}
RUNS = [pytest.param(name, run, id=f"{name} {run.arguments}".strip()) for name in SCRIPTS for run in SCRIPTS[name]]


def test_every_example_is_run_and_shown() -> None:
    assert sorted(SCRIPTS) == sorted(file.stem for file in EXAMPLES.glob("*.py"))
    page = (EXAMPLES.parent / "book/reference/recipes.md").read_text("utf-8")
    for name in SCRIPTS:
        assert f"{{download}}`{name}.py <../../examples/{name}.py>`" in page
        assert f"```{{literalinclude}} ../../examples/{name}.py\n:language: python\n```" in page, "the whole of it"


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_teaches_and_stands_alone(name: str) -> None:
    module = ast.parse((EXAMPLES / f"{name}.py").read_text("utf-8"))
    what, _, *outcome = (ast.get_docstring(module) or "").split("\n\n")
    assert what.endswith(".")
    assert f"python {name}.py" in (ast.get_docstring(module) or "")
    assert outcome, "what to expect"
    imported = {node.module for node in ast.walk(module) if isinstance(node, ast.ImportFrom)}
    assert not imported & {*SCRIPTS}
    assert any(part is not None and part.startswith("gpkl_lib") for part in imported)


def put(folder: Path, arguments: str) -> None:
    """Write what the arguments name."""
    for turn, name in enumerate(("train", "dev")):
        corpus = ten_lines(turn)
        if f"{name}.json " in f"{arguments} ":
            rows = [Row(tokens=list(s.tokens), spans=list(s.spans)) for s in corpus]
            (folder / f"{name}.json").write_text(*written_rows(rows, "gliner", name), "utf-8")
        elif f"{name}.jsonl" in arguments:
            write_jsonl(folder / f"{name}.jsonl", corpus)
    if "encoder" in arguments.split():
        tiny_encoder(folder / "encoder")
    if "known" in arguments.split():
        corpus = ten_lines()
        tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=32)
        fit(tagger, corpus, corpus, config=TrainingConfig(epochs=40, batch_size=5, learning_rate=0.01, device="cpu"))
        tagger.save(folder / "known")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "run"), RUNS)
def test_run_by_a_stranger(name: str, run: Script, tmp_path: Path) -> None:
    for package in run.needs:
        pytest.importorskip(package, reason=f"examples/{name}.py needs {package}: pip install 'gpkl-lib[examples]'")
    shutil.copy(EXAMPLES / f"{name}.py", tmp_path)
    put(tmp_path, run.arguments)
    command = f"{sys.executable} {name}.py {run.arguments}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "WANDB_SILENT": "true"}
    done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(rf"(?:{run.says})\s*$", done.stdout), done.stdout[-3000:]
    assert not run.leaves or [*tmp_path.glob(run.leaves)], sorted(tmp_path.rglob("*"))


STRANGERS = sorted((Path(__file__).parent / "strangers").glob("*.py"))


def test_for_every_example_there_is_a_stranger_who_uses_it_in_ten_lines() -> None:
    assert [file.stem for file in STRANGERS] == sorted(SCRIPTS)
    for file in STRANGERS:
        lines = [line for line in file.read_text("utf-8").splitlines() if line and not line.startswith("#")]
        assert sum("import " not in line for line in lines) <= 10, f"{file.name}: ten lines, beside what it imports"
        assert re.search(rf"^(?:from|import) {file.stem}\b", file.read_text("utf-8"), re.M)


@pytest.mark.slow
@pytest.mark.parametrize("file", STRANGERS, ids=lambda file: file.stem)
def test_a_strangers_ten_lines_run_beside_a_copy(file: Path, tmp_path: Path) -> None:
    for package in SCRIPTS[file.stem][0].needs:
        pytest.importorskip(package, reason=f"examples/{file.name} needs {package}: pip install 'gpkl-lib[examples]'")
    text = file.read_text("utf-8")
    shutil.copy(EXAMPLES / file.name, tmp_path)
    shutil.copy(file, tmp_path / "mine.py")
    named = [name for name in ("train.jsonl", "dev.jsonl", "encoder", "known") if f'"{name}"' in text]
    put(tmp_path, " ".join(named))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, "mine.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    says = text.partition("Prints: ")[2].partition("\n")[0]
    assert re.search(rf"(?:{says})\s*$", done.stdout), done.stdout[-3000:]
