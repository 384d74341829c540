"""Temperature of a teacher: recorded boards with a dropout view for the student, and extremes made by hand."""

import itertools
from pathlib import Path

import torch
from specimen import Specimen

from gpkl_lib import distillation_loss
from gpkl_lib.explore import TemperatureOfATeacher
from gpkl_lib.explore.recorded.boards import fold, load_boards
from gpkl_lib.explore.temperature_of_a_teacher import BORDER

BOARDS = load_boards(Path(__file__).parents[3] / "book/_results/span-boards.jsonl")
FAR = [[1e4, -1e4, 1e3, -1e3, 0.0, 1e-3]]
WORDS = ["a", "b", "c"]


def of(board, **options):
    """The board without dropout as the teacher, one of its dropout views as the student."""
    places = [[kind for kind, *_ in board.gold]]
    cells = torch.full((len(board.types), len(board.tokens), len(board.tokens)), 0.0)
    for kind, start, end in board.gold:
        cells[board.types.index(kind), start, end - 1] = 1
    places = [row.nonzero().flatten().tolist() for row in fold(cells)]
    teacher, student = (
        [[round(x, 1) for x in row] for row in fold(x).tolist()] for x in (board.scores, board.views[0])
    )
    return TemperatureOfATeacher(board.tokens, board.types, teacher, student, places, **options)


SPECIMEN = Specimen(
    settings=[
        of(BOARDS[3], kind="place"),
        of(BOARDS[3], kind="person", temperature=4),
        of(BOARDS[0], kind="work", temperature=1000),
        of(BOARDS[0], kind="place", temperature=0.1),
        TemperatureOfATeacher(WORDS, ["x"], [[2.0, -8, -9, 1, -30, -4]], [[2.0, -8, -9, 1, -30, -4]], [[0]]),
        TemperatureOfATeacher(WORDS, ["far"], FAR, [[-x for x in FAR[0]]], [[]], temperature=0.1),
        TemperatureOfATeacher(WORDS, ["far"], FAR, [[0.0] * 6], [[1, 4]], temperature=1000),
    ],
    line="loss",
    slider="temperature T",
    stops=5,
    drags=[
        ("student's score of the teacher's best span", -36, -12.0),
        ("student's score of the teacher's best span", 12, 4.0),
    ],
    absolute={"*": 1e-10, "loss": 1e-26, "limit": 1e-28},
)
SCORES = (-1000.0, -60.0, -20.0, -5.0, -0.5, 0.0, 1e-6, 0.3, 4.0, 30.0, 1000.0)
HEATS = (0.1, 1.0, 7.0, 1000.0)


def golden():
    module = "maths/teacher"
    for s, t, T in itertools.product(SCORES, SCORES, HEATS):
        a, b = (torch.tensor([x], dtype=torch.float64) for x in (s, t))
        options = {"activation": "sigmoid", "reduction": "sum"}
        loss = distillation_loss(a.requires_grad_(), b, temperature=T, **options)
        (pull,) = torch.autograd.grad(loss, a)
        yield module, "softLoss", [[s], [t], T], loss.item(), 1e-28 * T * T
        yield module, "pullOn", [s, t, T], pull.item(), 1e-15 * T
        limit = distillation_loss(a, b, temperature=torch.inf, **options)
        yield module, "squaredLimit", [[s], [t]], limit.item()
        yield module, "hotPull", [s, t], torch.autograd.grad(limit, a)[0].item()
    at_border = TemperatureOfATeacher(["a", "b"], ["x"], [[-9, -9, BORDER]], [[BORDER, BORDER + 1e-9, -9]], [[]])
    for widget in (*SPECIMEN.settings, at_border):
        student, teacher = widget.scores()
        row, groups = widget.types.index(widget.kind), widget.groups().tolist()
        value = widget.values()
        shares = [value[name] for name in ("gold", "open", "far")]
        yield module, "groupsOf", [student.tolist(), teacher.tolist(), widget.gold[row], BORDER], groups
        yield module, "sharesOf", [widget.pulls().tolist(), groups], shares
        yield module, "pullShares", [student.tolist(), teacher.tolist(), groups, widget.temperature], shares, 1e-10
