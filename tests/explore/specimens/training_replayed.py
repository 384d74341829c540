"""Training, replayed, over the record of the book; and two short trainings made by hand, at the extremes."""

from dataclasses import replace
from pathlib import Path

import torch
from specimen import Specimen

from gpkl_lib.explore import TrainingReplayed
from gpkl_lib.explore.recorded.replays import Replay, calibration_error, load_replays

REPLAYS = load_replays(Path(__file__).parents[3] / "book/_results/replay.jsonl")


def by_hand(method: str, scores: list[str], bins: list[list[float]]) -> Replay:
    """One epoch, one word, two types."""
    epoch = {"task": 1e-9, "term": 0.0, "f1": 1.0, "scores": scores, "bins": bins}
    row = {"types": ["person", "place"], "tokens": ["Basel"], "gold": [["place", 0, 1]], "epochs": [epoch]}
    return Replay.from_row({"config": {"method": method}, **row})


EMPTY = [[0, 0.0, 0]] * 10
SURE = [*EMPTY[:9], [3, 0.999, 0]]
SMALL = [by_hand("none", ["0", "1000"], EMPTY), by_hand("softmax", ["1e-09", "-1000"], SURE)]

SPECIMEN = Specimen(
    settings=[
        TrainingReplayed(REPLAYS, epoch=6),
        TrainingReplayed(REPLAYS, method="sigmoid", epoch=12),
        TrainingReplayed(REPLAYS, method="softmax", epoch=1),
        TrainingReplayed(REPLAYS[::-1]),
        TrainingReplayed(REPLAYS[:2], epoch=2),
        TrainingReplayed([replace(r) for r in SMALL]),
        TrainingReplayed(SMALL, method="softmax"),
    ],
    line="sentence_f1",
    slider="after epoch",
    stops=4,
)


def golden():
    module = "maths/replay"
    for replay in [*REPLAYS, *SMALL]:
        for row, epoch in zip(replay.run["epochs"], replay.epochs, strict=True):
            yield module, "calibrationError", [row["bins"]], epoch.calibration
            yield module, "lossOf", [row["task"], row["term"]], epoch.loss
            counts, means, hits = torch.tensor(row["bins"], dtype=torch.float64).T
            some = counts > 0
            points = torch.stack([means, hits / counts, counts])[:, some].T.tolist()
            yield module, "reliabilityPoints", [row["bins"]], points
        for cells in replay.run["epochs"][0]["scores"]:
            yield module, "readCells", [cells], [float(x) for x in cells.split()]
    yield module, "calibrationError", [[[4, 0.25, 1], [6, 0.5, 6]]], calibration_error([(4, 0.25, 1), (6, 0.5, 6)])
