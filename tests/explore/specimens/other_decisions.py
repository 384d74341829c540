"""Same divergence, other decisions: recorded boards, and extremes made by hand."""

from pathlib import Path

from specimen import Specimen

from gpkl_lib.explore import OtherDecisions
from gpkl_lib.explore.recorded.boards import load_boards

BOARDS = load_boards(Path(__file__).parents[3] / "book/_results/span-boards.jsonl")
FAR = [[1e4, -1e4, 1e3, -1e3, 0.0, 1e-3]]

SPECIMEN = Specimen(
    settings=[
        OtherDecisions.from_board(BOARDS[3], kind="place"),
        OtherDecisions.from_board(BOARDS[3], kind="place", second="dropout"),
        OtherDecisions.from_board(BOARDS[3], kind="event", second="dropout", shift=-3.5),
        OtherDecisions.from_board(BOARDS[0], kind="work", shift=12),
        OtherDecisions(["two", "words"], ["x"], [[1e3, -1e3, 0]], [[-1e3, 1e3, 0]], second="dropout", shift=0.1),
        OtherDecisions(["a", "b", "c"], ["far"], FAR, [[-x for x in FAR[0]]], second="dropout", shift=-12),
    ],
    line="sigmoid",
    slider="shift c of t",
    stops=6,
    drags=[("t + c", 40, 5.0), ("t + c", -40, -5.0)],
    absolute={"*": 1e-22},
)
