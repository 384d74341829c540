"""Who counts: recorded boards, and extremes made by hand."""

import itertools
from pathlib import Path

import torch
from specimen import Specimen

from gpkl_lib import uda_loss
from gpkl_lib.explore import WhoCounts
from gpkl_lib.explore.recorded.boards import load_boards

BOARDS = load_boards(Path(__file__).parents[3] / "book/_results/span-boards.jsonl")
FAR = [[1e4, -1e4, 1e3, -1e3, 0.0, 1e-3]]

SPECIMEN = Specimen(
    settings=[
        WhoCounts.from_board(BOARDS[0]),
        WhoCounts.from_board(BOARDS[0], threshold=0.99, temperature=0.4),
        WhoCounts.from_board(BOARDS[2], threshold=0.9, temperature=0.05, who="yes only"),
        WhoCounts.from_board(BOARDS[4], threshold=0.5, temperature=20),
        WhoCounts(["a", "b", "c"], ["far"], FAR, [[-x for x in FAR[0]]], temperature=0.05),
        WhoCounts(["unsure"], ["x", "y"], [[0.5], [-0.5]], [[2.0], [3.0]], threshold=0.9999),
        WhoCounts(["two", "words"], ["x"], [[-9, -8, -7]], [[-3, 3, 0]], who="yes only"),
    ],
    line="by_sure",
    slider="threshold β",
    stops=6,
    absolute={"*": 1e-24, "push": 1e-12, "from_yes": 1e-24},
)
T = torch.float64


def golden():
    module = "maths/uda"
    draw = torch.Generator().manual_seed(0)
    boards = [widget.scores() for widget in SPECIMEN.settings]
    boards += [tuple(size * torch.randn(2, 40, generator=draw, dtype=T)) for size in (0.01, 1.0, 30.0)]
    for s, t in boards:
        yield module, "confidence", [t.tolist()], torch.sigmoid(t.abs()).tolist()
        for temperature, who in itertools.product((0.05, 0.4, 1.0, 20.0), (False, True)):
            terms = uda_loss(s, t, activation="sigmoid", temperature=temperature, reduction="none").loss
            yield module, "targetTerms", [s.tolist(), t.tolist(), temperature], terms.tolist(), 1e-24
            wanted = []
            for threshold in (0.5, 0.8, 0.999, 0.9999):
                options = {"temperature": temperature, "threshold": threshold, "mask": t > 0 if who else None}
                kept = uda_loss(s, t, activation="sigmoid", reduction="none", **options).loss
                counted = (torch.sigmoid(t.abs()) > threshold) & ((t > 0) | (not who))
                sure = uda_loss(s, t, activation="sigmoid", reduction="mean_confident", **options)
                wanted.append({"all": kept.sum().item() / len(t), "sure": sure.loss.item()})
                some = [terms.tolist(), counted.tolist()]
                yield module, "countedSpans", [t.tolist(), threshold, who], counted.tolist()
                yield module, "dividedLoss", some, wanted[-1], 1e-24
                share = (kept[t > 0].sum() / kept.sum()).item() if kept.sum() else 0.0
                yield module, "shareOfYes", [*some, t.tolist()], share
                push = (torch.sigmoid(s) - torch.sigmoid(t / temperature))[counted].sum().item()
                yield module, "netPush", [s.tolist(), t.tolist(), temperature, counted.tolist()], push, 1e-12
            several = [terms.tolist(), t.tolist(), [0.5, 0.8, 0.999, 0.9999], who]
            yield module, "lossAgainstThreshold", several, wanted, 1e-24
