"""A tagger's model card: what the hub shows of it, made from the tagger and from the files of its training run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpkl_lib._optional import optional
from gpkl_lib._storage import CheckpointError, digest, read_json, read_tensors
from gpkl_lib.corpora import visible
from gpkl_lib.tagger.places import BEST, CONFIG, SCORES, WEIGHTS

if TYPE_CHECKING:
    from gpkl_lib.tagger.tagger import Tagger

METRICS = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
TASK = "token-classification"
HEADS = {"global_pointer": "GlobalPointer", "efficient": "Efficient GlobalPointer"}

TEXT = """# {title}

Finds spans in sentences, nested and overlapping ones too, with a {head} head on {encoder}: {parameters:,} parameters.
Made with `gpkl-lib`.

Types: {types}.
{decoding}
## Use

```python
# pip install 'gpkl-lib[{extras}]'
from gpkl_lib import Tagger

tagger = Tagger.from_pretrained("{name}")
tagger.entities("Anna works in Berlin.")  # with type, text, characters, tokens and score
```

The folder holds safetensors and JSON with checksums, no pickle and no code.
"""


def model_card(tagger: Tagger, name: str, run: str | Path | None = None) -> str:
    """The text of a README.md: metadata that the hub reads, with the scores as a model-index, and a page for people.

    Args:
        tagger: whose card it is.
        name: the hub name, "me/names" for example, or a title.
        run: the folder of the training run that made the tagger. Its scores and settings stand on the card; without it
            the card has none.

    Raises:
        ModuleNotFoundError: huggingface_hub is missing; the message names the extra.
        CheckpointError: the run has no scores or settings, or its best weights are not this tagger's.
    """
    hub = optional("huggingface_hub", "hub", "a model card")
    title = name.rpartition("/")[2]
    tags = ["named-entity-recognition", "nested-spans", "global-pointer"]
    found: dict[str, Any] = {}
    page = TEXT.format(
        title=_plain(title),
        name=name,
        types=", ".join(map(_plain, tagger.types)),
        decoding=_decoding(tagger),
        **_architecture(tagger),
    )
    if run is not None:
        scores, config = _run(tagger, Path(run))
        method = config["config"]["method"]
        tags += [] if method == "none" else [f"gpkl-{method}"]
        found = {"model_name": title, "eval_results": _results(hub.EvalResult, scores, config)}
        page += _scores_page(scores) + _settings_page(scores, config)
    data = hub.ModelCardData(library_name="gpkl-lib", pipeline_tag=TASK, tags=tags, **found)
    return f"---\n{data.to_yaml()}\n---\n\n{page}"


def _run(tagger: Tagger, run: Path) -> tuple[dict[str, Mapping[str, Any]], dict[str, Any]]:
    """Scores by part, and settings, of the run that made the tagger."""
    try:
        scores, config = read_json(run / SCORES), read_json(run / CONFIG)
    except FileNotFoundError as error:
        raise CheckpointError(f"{run} is no finished training run: {Path(error.filename).name} is missing") from error
    if digest(*read_tensors(run / BEST / WEIGHTS)) != tagger.digest():
        raise CheckpointError(f"{run} made another tagger: its scores are not those of this one")
    return {part: of for part, of in scores.items() if isinstance(of, Mapping)}, config


def _results(kind: Any, scores: Mapping[str, Mapping[str, Any]], config: Mapping[str, Any]) -> list[Any]:
    """One entry of the model-index for each part and metric; a part that nothing names is train's corpus."""
    return [
        kind(
            task_type=TASK,
            task_name="Span recognition",
            dataset_type="other",
            dataset_name=_corpus(_measured(part, of, config)["name"]),
            dataset_split=part,
            metric_type=metric,
            metric_name=f"{title} (exact spans, micro)",
            metric_value=round(of[metric], 6),
        )
        for part, of in scores.items()
        for metric, title in METRICS.items()
    ]


def _architecture(tagger: Tagger) -> dict[str, Any]:
    """Head, encoder and size in words, and the extras that loading needs."""
    encoder, own = "words, characters and bidirectional LSTMs", tagger.encoder.description()
    if own["kind"] == "pretrained":
        encoder = f"a pretrained encoder ({_plain(own['config']['model_type'])})"
    return {
        "head": HEADS[tagger.settings["head"]],
        "encoder": encoder,
        "parameters": tagger.num_parameters,
        "extras": "hub,transformers" if own["kind"] == "pretrained" else "hub",
    }


def _decoding(tagger: Tagger) -> str:
    """What is found of what scores, in sentences."""
    longest = tagger.max_span_length
    said = [] if longest is None else [f"Spans of more than {longest} tokens are not looked for."]
    said += [f"It comes with a {_plain(str(tagger.chosen))}."] if tagger.chosen else []
    said += [f"It gives probabilities: {_plain(str(tagger.calibration))}."] if tagger.calibration else []
    return "".join(f"\n{sentence}\n" for sentence in said)


def _scores_page(scores: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        f"| {_plain(part)} | {' | '.join(f'{of[metric]:.4f}' for metric in METRICS)} | {of['gold']:,} |"
        for part, of in scores.items()
    ]
    head = f"| part | {' | '.join(METRICS.values())} | gold spans |\n|---|{'---|' * (len(METRICS) + 1)}\n"
    exact = "A span counts if its type and both its ends are right. Dev chose the epoch.\n\n"
    return f"\n## Scores\n\n{exact}{head}" + "\n".join(lines) + "\n"


def _measured(part: str, of: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The corpus of a part: as its scores name it, or as the training run does."""
    found: Mapping[str, Any] = of.get("corpus") or config.get(part) or config["train"]
    return found


def _settings_page(scores: Mapping[str, Mapping[str, Any]], config: Mapping[str, Any]) -> str:
    named = dict(config) | {part: of["corpus"] for part, of in scores.items() if part not in config and "corpus" in of}
    corpora = "\n".join(
        f"- {part}: {_plain(_file_names(of['name']))}, {of['sentences']:,} sentences, sha256 `{of['sha256']}`"
        for part, of in named.items()
        if part != "config" and isinstance(of, Mapping) and "sha256" in of
    )
    lines = "\n".join(f"| {name} | {_plain(str(value))} |" for name, value in config["config"].items())
    return f"\n## Training\n\n{corpora}\n\n| setting | value |\n|---|---|\n{lines}\n"


def _file_names(name: str) -> str:
    """The name of a corpus without folders, in "data/own.conll without data/own.conll[9::10]" neither."""
    return " without ".join(Path(part).name for part in name.split(" without "))


def _corpus(name: str) -> str:
    """The corpus that a part belongs to: of "wnut17:train", "toy(size=100)", "own.conll[:50] without ..."."""
    whole = _file_names(name).partition(" without ")[0]
    return re.sub(r"(:(train|dev|test)|\(.*\)|\[[-\d:]*\]|, (drawn with|label noise) [^,\[]*)*$", "", whole)


def _plain(text: str) -> str:
    """Text that Markdown shows as it stands, in a table too."""
    return re.sub(r"([\\`*_{}\[\]<>|#~$&])", r"\\\1", visible(text))
