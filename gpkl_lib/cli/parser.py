"""The command line in words: every command, its arguments with units and defaults, and examples."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from gpkl_lib.cli.files import add_convert, add_reading
from gpkl_lib.cli.front import COMMANDS, outline
from gpkl_lib.cli.predict import FORMS
from gpkl_lib.cli.texts import (
    COMPARE,
    COMPARE_EXAMPLES,
    CONVERT,
    CONVERT_EXAMPLES,
    EVALUATE,
    EVALUATE_EXAMPLES,
    PREDICT,
    PREDICT_EXAMPLES,
    TRAIN,
    TRAIN_EXAMPLES,
    methods_text,
)
from gpkl_lib.corpora import KNOWN, SIZES, forms_text
from gpkl_lib.experiments import ModelConfig
from gpkl_lib.training import METHODS, Method, Setting, TrainingConfig, own_settings


def build_parser() -> argparse.ArgumentParser:
    """The parser of `gpkl`; every command stores its name in `command`."""
    return parsers()[0]


def given(words: Sequence[str]) -> dict[str, Any]:
    """The arguments that were typed, without those that only have a default."""
    parser, commands = parsers()
    names, untyped = vars(parser.parse_args(words)), object()
    for command in commands:
        command.set_defaults(**dict.fromkeys(names, untyped))
    return {name: value for name, value in vars(parser.parse_args(words)).items() if value is not untyped}


def parsers() -> tuple[argparse.ArgumentParser, list[argparse.ArgumentParser]]:
    """The parser, and those of the commands."""
    parser, group = outline()
    commands = []
    for name, text, examples, fill in (
        ("train", TRAIN + methods_text(METHODS.values()), TRAIN_EXAMPLES, _train),
        ("compare", COMPARE, COMPARE_EXAMPLES, _compare),
        ("predict", PREDICT, PREDICT_EXAMPLES, _predict),
        ("evaluate", EVALUATE, EVALUATE_EXAMPLES, _evaluate),
        ("convert", CONVERT + forms_text(), CONVERT_EXAMPLES, add_convert),
    ):
        command = group.add_parser(name, help=COMMANDS[name], description=text, epilog=examples, formatter_class=_Help)
        fill(command)
        commands.append(command)
    return parser, commands


MODEL = "folder of a run or of a saved tagger, or a hub name, someone/names"
THRESHOLD = "spans scored above it are found; else the tagger's own, 0 unless it was tuned"
DEVICES = ("auto", "cpu", "cuda", "mps")
WARMUP = "share of all steps (0 to 1) over which alpha rises from 0"


class _Help(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Paragraphs as written, and the default of each argument that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False:
            return action.help
        if isinstance(action.default, list):
            return f"{action.help} (default: {' '.join(map(str, action.default))})"
        return super()._get_help_string(action)


def _train(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("what to learn from")
    data.add_argument("--corpus", metavar="NAME", help=f"toy (where no file is given), {' or '.join(KNOWN)}")
    _files(data)
    data.add_argument(
        "--draw",
        choices=("first", "seed"),
        default="first",
        help="seed: --seed draws the sentences of train; of the toy corpus it writes another one",
    )
    defaults = TrainingConfig()
    method = parser.add_argument_group("method")
    method.add_argument(
        "--method", type=_method, choices=tuple(METHODS), default="none", help="what is added to the cross-entropy"
    )
    quarter = ", ".join(each.name for each in METHODS.values() if each.factor == 1 / 4)
    method.add_argument(
        "--alpha",
        metavar="A",
        type=float,
        help=f"weight; {quarter}: alpha/4 before D (default: the method's own, see above, chosen on sentences of some "
        "16 tokens; D adds up all spans of a sentence, so that long documents want less)",
    )
    method.add_argument("--alpha-warmup", type=float, default=defaults.alpha_warmup, metavar="SHARE", help=WARMUP)
    for having in own_settings().values():
        method.add_argument(having[0][1].flag, **_own(having))
    _sources(method)
    method.add_argument("--seed", metavar="N", type=int, default=defaults.seed, help="of weights, order and dropout")
    method.add_argument(
        "--patience", type=int, metavar="N", help="stop after N epochs without a better dev F1; else never"
    )
    _learning(parser)
    parser.add_argument(
        "--config", metavar="FILE", help="TOML or JSON with arguments by these names; what is typed wins"
    )
    parser.add_argument("--output", metavar="DIR", help="folder of the run; runs/CORPUS-METHOD-seedSEED if not given")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --output, with its own settings")


def _compare(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("what to learn from")
    data.add_argument(
        "--corpus",
        action="append",
        nargs="+",
        metavar=("NAME", "FILE"),
        help=f"toy, {' or '.join(KNOWN)}, or a name of your own with TRAIN DEV TEST files; may be given several times",
    )
    _files(data)
    what = parser.add_argument_group("grid")
    what.add_argument(
        "--methods",
        nargs="+",
        type=_method,
        choices=tuple(METHODS),
        metavar="M",
        default=["none", "sigmoid", "softmax"],
        help=f"of {', '.join(METHODS)}",
    )
    what.add_argument(
        "--alphas",
        nargs="+",
        type=float,
        metavar="A",
        help="weights; 0: two views, D not counted (default: each method's own, see gpkl train --help)",
    )
    warmup = TrainingConfig().alpha_warmup
    what.add_argument("--alpha-warmups", nargs="+", type=float, default=[warmup], metavar="SHARE", help=WARMUP)
    for having in own_settings().values():
        setting, own = having[0][1], _own(having)
        if setting.varied:
            what.add_argument(setting.flags, **{**own, "nargs": "+", "default": [setting.default]})
        else:
            what.add_argument(setting.flag, **own)
    what.add_argument(
        "--tuning-seeds", nargs="+", type=int, metavar="N", help="seeds of the whole grid; else all of --seeds"
    )
    what.add_argument(
        "--seeds", nargs="+", type=int, metavar="N", default=[0, 1, 2, 3, 4], help="the same for every method"
    )
    _sources(what)
    _learning(parser)
    parser.add_argument("--recipe", metavar="FILE", help="TOML with all settings; the rows go to FILE with .jsonl")
    parser.add_argument(
        "--jobs", metavar="N", type=int, default=1, help="runs at a time, each a process with one thread"
    )
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="of a Dask scheduler, tcp://host:8786; its workers (`dask worker --nthreads 1`) do the runs",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        default="runs/compare.jsonl",
        help="rows; table and figure, FILE with .png, show all rows in it",
    )


def _method(name: str) -> str:
    """The method that a name stands for: R-Drop, with a head whose scores are decided one by one, is sigmoid's."""
    return "sigmoid" if name == "rdrop" and name not in METHODS else name


def _own(having: Sequence[tuple[Method, Setting]]) -> dict[str, Any]:
    """The argument of a setting of some methods' own, with what it means for each of them."""
    setting = having[0][1]
    words = {"choices": setting.choices}
    kind = words if setting.choices else {"type": type(setting.default), "metavar": setting.metavar}
    return {**kind, "default": setting.default, "help": "; ".join(f"{m.name}: {own.help}" for m, own in having)}


def _sources(group: argparse._ArgumentGroup) -> None:
    """Add what some methods learn from beside the labelled sentences."""
    for name, metavar, text in (
        ("unlabelled", "SOURCE", "a number of train's sentences after those learnt from, rest for all, or a file"),
        ("teacher", "DIR", "folder of a run or tagger; {seed} in it becomes the seed"),
    ):
        needing = ", ".join(method.name for method in METHODS.values() if method.needs == name)
        group.add_argument(f"--{name}", metavar=metavar, help=f"{needing}: {text}")


def _files(group: argparse._ArgumentGroup) -> None:
    """Add the files, how to read them, and how much of them."""
    for part, text in (
        ("train", "to learn from"),
        ("dev", "that chooses the best epoch"),
        ("test", "for the final score"),
    ):
        group.add_argument(f"--{part}", metavar="F", help=f"file {text}, in any form that gpkl convert --help shows")
    add_reading(group, "of the files")
    group.add_argument("--limit-train", type=int, metavar="N", help="first N sentences of train only")
    group.add_argument("--toy-size", type=int, metavar="N", default=SIZES["train"], help="sentences of the toy's train")
    group.add_argument(
        "--label-noise", type=float, metavar="P", default=0.0, help="share of the spans of train that are damaged"
    )


def _learning(parser: argparse.ArgumentParser) -> None:
    """Add what describes the model and the optimiser."""
    config, model = TrainingConfig(), ModelConfig()
    group = parser.add_argument_group("model and training")
    group.add_argument(
        "--encoder", default=model.encoder, metavar="E", help="scratch, or a transformers folder or hub name"
    )
    group.add_argument("--head", choices=("global_pointer", "efficient"), default=model.head, help="span head")
    group.add_argument(
        "--hidden-size", metavar="N", type=int, default=model.hidden_size, help="features a token, encoder from scratch"
    )
    group.add_argument(
        "--dropout", metavar="SHARE", type=float, default=model.dropout, help="share of features, encoder from scratch"
    )
    group.add_argument("--epochs", metavar="N", type=int, default=config.epochs, help="passes over train")
    group.add_argument("--batch-size", metavar="N", type=int, default=config.batch_size, help="sentences a step")
    group.add_argument(
        "--learning-rate",
        metavar="X",
        type=float,
        default=config.learning_rate,
        help="of new weights, at its highest (AdamW)",
    )
    group.add_argument(
        "--encoder-learning-rate",
        metavar="X",
        type=float,
        default=config.encoder_learning_rate,
        help="of pretrained weights",
    )
    group.add_argument("--device", choices=DEVICES, default=config.device, help="auto: the best that is there")
    group.add_argument(
        "--mixed-precision",
        choices=("auto", "no", "bf16"),
        default=config.mixed_precision,
        help="auto: bf16 on a GPU with it",
    )


def _predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("file", metavar="FILE", help="what to read; - is standard input")
    parser.add_argument(
        "--write", choices=FORMS, help="the form of what is written; else by the name of --output, as jsonl if none"
    )
    parser.add_argument("--output", metavar="F", help="file to write; standard output if not given")
    add_reading(parser, "of FILE", text=True)
    parser.add_argument("--threshold", metavar="X", type=float, help=THRESHOLD)
    parser.add_argument(
        "--probability", action="store_true", help="of each span, by the curve that training or --calibrate has fitted"
    )
    _using(parser)


def _evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("file", metavar="FILE", help="file with gold spans, or a name such as toy:test or wnut17:test")
    parser.add_argument("--errors", action="store_true", help="say what is wrong: type, boundary, missed, spurious")
    parser.add_argument("--output", metavar="F", help="also write the report there: JSON, or a page if F ends in .html")
    add_reading(parser, "of FILE")
    parser.add_argument("--threshold", metavar="X", type=float, help=THRESHOLD)
    parser.add_argument(
        "--tune-threshold", action="store_true", help="choose the threshold with the best F1 on FILE and keep it"
    )
    parser.add_argument(
        "--calibrate", action="store_true", help="fit the probabilities of predict --probability on FILE and keep them"
    )
    _using(parser)


def _using(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch-size", metavar="N", type=int, default=32, help="sentences at a time")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="auto: the best that is there")
