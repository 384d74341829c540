"""Taggers on the hub, without a network: the hub is a folder behind the names of its client."""

import doctest
import json
import shutil
from pathlib import Path

import pytest
import torch
from taggers import CORPUS, scores, small_tagger, talkative

import gpkl_lib.tagger.hub
from gpkl_lib import cli
from gpkl_lib._storage import CheckpointError
from gpkl_lib.corpora import toy_corpus
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import TrainingConfig, fit

hub = pytest.importorskip("huggingface_hub", reason="needs the extra hub")


@pytest.fixture
def repositories(tmp_path, monkeypatch):
    """What stands on the hub: a folder for each repository, with branches in it; `asked` notes each call."""

    class Api:
        root, asked = tmp_path / "hub", []

        def __init__(self, token=None):
            self.token = token

        def note(self, call, **arguments):
            self.asked.append((call, {"token": self.token} | arguments))

        def create_repo(self, name, *, private, exist_ok):
            self.note("create", private=private, exist_ok=exist_ok)
            full = name if "/" in name else f"me/{name}"
            (self.root / full).mkdir(parents=True, exist_ok=exist_ok)
            return hub.RepoUrl(f"https://huggingface.co/{full}")

        def upload_folder(self, *, repo_id, folder_path, revision, delete_patterns, **others):
            self.note("upload", revision=revision, **others)
            there = self.root / repo_id / (revision or "main")
            there.mkdir(exist_ok=True)
            for name in self.wanted(there, delete_patterns):
                (there / name).unlink()
            shutil.copytree(folder_path, there, dirs_exist_ok=True)
            return hub.CommitInfo(
                commit_url=f"https://huggingface.co/{repo_id}/commit/1",
                commit_message="",
                commit_description="",
                oid="1",
            )

        def snapshot_download(self, name, *, allow_patterns, revision=None, cache_dir=None, **others):
            self.note("download", revision=revision, **others)
            there, to = self.root / name / (revision or "main"), Path(cache_dir or tmp_path / "cache") / name
            for each in self.wanted(there, allow_patterns):
                (to / each).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(there / each, to / each)
            return str(to)

        @staticmethod
        def wanted(folder, patterns):
            files = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
            return list(hub.utils.filter_repo_objects(files, allow_patterns=patterns))

    monkeypatch.setattr(hub, "HfApi", Api)
    return Api


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("runs") / "names"
    corpus = toy_corpus(40)
    tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16, head_size=8)
    config = TrainingConfig(method="sigmoid", alpha=0.5, epochs=2, learning_rate=0.02, device="cpu")
    fit(tagger, corpus, toy_corpus(10, split="dev"), config=config, output=folder, progress=False)
    return folder


def test_pushed_and_fetched_it_is_the_same(repositories, run, tmp_path):
    tagger = Tagger.load(run / "best")
    address = tagger.push_to_hub("names", run=run, private=True, token="secret", create_pr=True)
    assert address == "https://huggingface.co/me/names/commit/1"
    assert sorted(path.name for path in (repositories.root / "me/names/main").iterdir()) == [
        *("README.md", "model.safetensors", "tagger.json")
    ]
    found = Tagger.from_pretrained("me/names", cache_dir=tmp_path / "own", local_files_only=True)
    assert (tmp_path / "own/me/names/tagger.json").is_file()
    assert found.digest() == tagger.digest()
    assert not found.training
    assert torch.equal(scores(found, CORPUS.sentences), scores(tagger, CORPUS.sentences))
    assert repositories.asked == [
        ("create", {"token": "secret", "private": True, "exist_ok": True}),
        ("upload", {"token": "secret", "revision": None, "commit_message": "A tagger", "create_pr": True}),
        ("download", {"token": None, "revision": None, "force_download": False, "local_files_only": True}),
    ]
    assert Tagger.load("me/names").digest() == tagger.digest()


def test_a_branch_has_a_tagger_of_its_own(repositories):
    old, new = small_tagger(), talkative(small_tagger())
    old.push_to_hub("me/names")
    new.push_to_hub("me/names", revision="next")
    assert Tagger.from_pretrained("me/names").digest() == old.digest()
    assert Tagger.from_pretrained("me/names", revision="next").digest() == new.digest()


def test_a_stranger_s_code_and_pickles_are_not_even_fetched(repositories, tmp_path):
    small_tagger().push_to_hub("stranger/names")
    there = repositories.root / "stranger/names/main"
    (there / "tokenizer").mkdir()
    for name in ("pytorch_model.bin", "evil.py", "tokenizer/evil.py", "optimizer.pt", "other.safetensors"):
        (there / name).write_text("evil")
    Tagger.from_pretrained("stranger/names")
    fetched = sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert fetched == ["model.safetensors", "tagger.json"]


def test_a_stranger_s_tagger_is_checked_as_any_other(repositories):
    small_tagger().push_to_hub("stranger/names")
    file = repositories.root / "stranger/names/main/tagger.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"head_size": 10**9}))
    with pytest.raises(CheckpointError, match="are not of one tagger"):
        Tagger.from_pretrained("stranger/names")
    file.unlink()
    shutil.rmtree(repositories.root.parent / "cache")
    with pytest.raises(CheckpointError, match=r"tagger\.json is missing"):
        Tagger.from_pretrained("stranger/names")


@pytest.mark.pretrained
def test_what_the_last_tagger_left_is_taken_away(repositories, tiny_bert):
    first, second = Tagger.from_encoder(tiny_bert, ["a"], head_size=4), small_tagger()
    first.push_to_hub("me/names")
    assert Tagger.from_pretrained("me/names").digest() == first.digest()  # its tokenizer came along
    assert "pip install 'gpkl-lib[hub,transformers]'" in (repositories.root / "me/names/main/README.md").read_text()
    second.push_to_hub("me/names")
    assert not list((repositories.root / "me/names/main/tokenizer").iterdir())
    assert Tagger.from_pretrained("me/names").digest() == second.digest()


class TestCard:
    def test_its_metadata_are_the_run_s_scores(self, run, tmp_path):
        measured = json.loads((run / "scores.json").read_text())["dev"]
        Tagger.load(run / "best").save_pretrained(tmp_path, run=run, name="me/names")
        data = hub.ModelCard.load(tmp_path / "README.md").data
        assert (data.library_name, data.pipeline_tag, data.model_name) == ("gpkl-lib", "token-classification", "names")
        assert "gpkl-sigmoid" in data.tags
        assert {(each.dataset_name, each.dataset_split) for each in data.eval_results} == {("toy", "dev")}
        found = {each.metric_type: each.metric_value for each in data.eval_results}
        assert found == pytest.approx({name: measured[name] for name in ("precision", "recall", "f1")}, abs=1e-6)
        assert found["f1"] > 0

    def test_it_says_what_was_learnt_how_and_from_what(self, run, tmp_path):
        tagger = Tagger.load(run / "best")
        tagger.save_pretrained(tmp_path / "names", run=run)
        page = hub.ModelCard.load(tmp_path / "names/README.md").text
        config = json.loads((run / "config.json").read_text())
        measured = json.loads((run / "scores.json").read_text())["dev"]
        row = " | ".join(f"{measured[name]:.4f}" for name in ("precision", "recall", "f1"))
        for shown in (
            *("# names\n", 'Tagger.from_pretrained("names")', f"{tagger.num_parameters:,} parameters"),
            *("event, organisation, person, place, work", f"more than {tagger.max_span_length} tokens"),
            *("| method | sigmoid |", "| alpha | 0.5 |", "| learning_rate | 0.02 |", config["train"]["sha256"]),
            *(f"| dev | {row} | {measured['gold']:,} |", config["dev"]["sha256"], "40 sentences"),
        ):
            assert shown in page, shown

    @pytest.mark.parametrize(
        ("train", "dev", "named", "shown"),
        [
            ("data/own.conll without data/own.conll[9::10]", "data/own.conll[9::10]", ["own.conll"] * 2, None),
            ("data/a:b (2).conll[:50]", "else/b.jsonl", ["a:b (2).conll", "b.jsonl"], "- dev: b.jsonl, "),
            ("wnut17:train[:90]", "wnut17:dev", ["wnut17"] * 2, "- dev: wnut17:dev, "),
            (
                "own.conll, drawn with seed 3[:40], label noise 0.1 with seed 0",
                "dev.conll",
                ["own.conll", "dev.conll"],
                None,
            ),
        ],
    )
    def test_each_part_is_named_for_its_own_corpus(self, run, tmp_path, train, dev, named, shown):
        shutil.copytree(run, tmp_path / "run")
        config, scores = (json.loads((run / name).read_text()) for name in ("config.json", "scores.json"))
        config["train"]["name"], config["dev"]["name"] = train, dev
        (tmp_path / "run/config.json").write_text(json.dumps(config))
        (tmp_path / "run/scores.json").write_text(json.dumps({"test": scores["dev"], "dev": scores["dev"]}))
        Tagger.load(run / "best").save_pretrained(tmp_path / "saved", run=tmp_path / "run")
        card = hub.ModelCard.load(tmp_path / "saved/README.md")
        results = {each.dataset_split: each.dataset_name for each in card.data.eval_results}
        assert [results["test"], results["dev"]] == named
        assert (shown or r"- train: own.conll") in card.text
        if " without " in train:
            assert r"- train: own.conll without own.conll\[9::10\], 40 sentences" in card.text

    def test_its_code_runs(self, repositories, run):
        Tagger.load(run / "best").push_to_hub("me/names", run=run)
        page = (repositories.root / "me/names/main/README.md").read_text()
        exec(page.partition("```python\n")[2].partition("```")[0], {})
        assert [call for call, _ in repositories.asked] == ["create", "upload", "download"]

    def test_a_threshold_and_a_curve_stand_on_it_and_come_along(self, repositories, run):
        tagger = Tagger.load(run)
        tagger.tune_threshold(toy_corpus(10, split="dev"))
        tagger.calibrate(toy_corpus(10, split="dev"))
        tagger.push_to_hub("me/names")
        page = (repositories.root / "me/names/main/README.md").read_text()
        assert f"a threshold {tagger.threshold:.4g}: F1 " in page
        assert f"probability = sigmoid({tagger.calibration.slope:.3g} x score" in page
        found = Tagger.from_pretrained("me/names")
        assert (found.chosen, found.calibration) == (tagger.chosen, tagger.calibration)

    def test_without_a_run_it_has_no_scores(self, tmp_path):
        small_tagger().save_pretrained(tmp_path)
        card = hub.ModelCard.load(tmp_path / "README.md")
        assert card.data.eval_results is None
        assert "## Scores" not in card.text

    def test_scores_of_another_tagger_are_refused_before_anything_is_written(self, run, tmp_path):
        with pytest.raises(CheckpointError, match="made another tagger"):
            small_tagger().save_pretrained(tmp_path / "new", run=run)
        with pytest.raises(CheckpointError, match=r"no finished training run: scores\.json is missing"):
            small_tagger().save_pretrained(tmp_path / "new", run=tmp_path)
        assert not (tmp_path / "new").exists()

    def test_names_are_shown_as_they_stand(self, tmp_path):
        names = ["<b>", "a|b", "*x*", "`y`", "\x1b[1m", "[l](z)", "n\nn"]
        Tagger.from_scratch(CORPUS.sentences, names, hidden_size=8, head_size=4).save_pretrained(tmp_path)
        page = hub.ModelCard.load(tmp_path / "README.md").text
        (line,) = (line for line in page.split("\n") if line.startswith("Types:"))
        assert line == r"Types: \<b\>, a\|b, \*x\*, \`y\`, \\x1b\[1m, \[l\](z), n\\nn."


class TestErrors:
    @pytest.fixture(autouse=True)
    def offline(self, monkeypatch):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("me/names", r"by the hub name 'me/names' \(there is no such folder\): .*cache"),
            ("-a/me", r"by the hub name '-a/me' \(there is no such folder\): Repo id must"),
            ("runs/a/b/c", r"^runs/a/b/c does not exist \(tagger\.json is missing\)"),
            ("../names", r"^\.\./names does not exist"),
            ("names", r"^names does not exist"),
        ],
    )
    def test_fetching(self, name, message, tmp_path):
        with pytest.raises(CheckpointError, match=message):
            Tagger.from_pretrained(name, cache_dir=tmp_path)

    def test_the_command(self, capsys):
        assert cli.main(["predict", "me/names", "a.txt"]) == 2
        assert "gpkl predict: no tagger could be fetched by the hub name 'me/names'" in capsys.readouterr().err

    def test_pushing(self):
        with pytest.raises(CheckpointError, match=r"could not be pushed to 'me/names': .*offline"):
            small_tagger().push_to_hub("me/names")

    def test_the_extra_is_named(self, monkeypatch, tmp_path):
        def missing(name, *_):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        monkeypatch.setattr("importlib.import_module", missing)
        for call in (
            lambda: Tagger.from_pretrained("me/names"),
            lambda: small_tagger().push_to_hub("me/names"),
            lambda: small_tagger().save_pretrained(tmp_path / "new"),
        ):
            with pytest.raises(ModuleNotFoundError, match=r"needs the package huggingface_hub.*gpkl-lib\[hub\]"):
                call()
        small_tagger().save(tmp_path / "names")
        assert Tagger.from_pretrained(tmp_path / "names").types == CORPUS.types  # a folder needs no hub


def test_the_examples_run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = [each for each in doctest.DocTestFinder().find(gpkl_lib.tagger.hub.OnHub) if each.examples]
    assert len(found) == 3
    for each in found:
        assert doctest.DocTestRunner().run(each).failed == 0
