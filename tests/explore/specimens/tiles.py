"""Tiles: a board met block by block."""

import math

import torch
from specimen import Specimen

from gpkl_lib.explore import Tiles
from gpkl_lib.explore.tiles import SCORES, board_bytes, tiled_bytes, walk

NINE = [float(x) for row in SCORES for x in row]
DRAW = torch.Generator().manual_seed(0)
WILD = [round(x, 1) for x in (400 * torch.randn(78, generator=DRAW, dtype=torch.float64)).clamp(-1000, 1000).tolist()]

SPECIMEN = Specimen(
    settings=[
        Tiles(),
        Tiles(rows=4, blocks=2, length=8192),
        Tiles(rows=9, blocks=1, length=128, copies=12.5),
        Tiles(rows=1, blocks=0),
        Tiles(rows=2, blocks=12, length=4000),
        Tiles([-1000, 1000, -1000], rows=1, blocks=2),
        Tiles([-1000, -1000, -1000], rows=2, blocks=1),
        Tiles([1000, 1000, -3.5], rows=1, blocks=1),
        Tiles(WILD, rows=5, blocks=2, length=2048),
    ],
    line="logsumexp",
    slider="rows r of a block",
    stops=6,
    absolute={"*": 1e-28, "logsumexp": 1e-14, "final": 1e-14, "forgotten": 1e-14},
)


def triangle(scores, length):
    board = torch.full((length, length), -math.inf, dtype=torch.float64)
    board[tuple(torch.triu_indices(length, length))] = torch.tensor(scores, dtype=torch.float64)
    return board


def golden():
    module = "maths/tiles"
    for length, scores in ((2, [-1000.0, 1000.0, 3.0]), (9, NINE), (12, WILD)):
        board = triangle(scores, length)
        whole = torch.logsumexp(torch.tensor([0.0, *scores], dtype=torch.float64), 0).item()
        yield module, "lossOfAll", [scores, length], whole
        for k, place in enumerate(torch.triu_indices(length, length).T.tolist()):
            yield module, "rowColumn", [k, length], place
        for rows in (1, 2, 5, length):
            starts = list(range(0, length, rows))
            yield module, "blockCount", [length, rows], len(starts)
            for block, start in enumerate(starts):
                cells = board[start : start + rows, start:]
                yield module, "blockRows", [length, rows, block], [start, min(start + rows, length)]
                yield module, "blockScores", [scores, length, rows, block], cells[cells.isfinite()].tolist()
            for blocks in range(len(starts) + 2):
                now = walk(scores, rows=rows, blocks=blocks)
                wanted = {name: getattr(now, name) for name in ("maximum", "sum", "factor", "logsumexp", "forgotten")}
                yield module, "walkTiles", [scores, length, rows, blocks], wanted
                computed = sum(board[a : a + rows, a:].numel() for a in starts[:blocks])
                assert now.cells == computed
                if blocks <= len(starts):
                    yield module, "cellsComputed", [length, rows, blocks], computed
    for m, z, x in ((0.0, 1.0, [-3.0, -4.0]), (2.0, 1.5, [5.0, 1.0, -900.0]), (-7.0, 3.0, [1000.0]), (4.0, 2.0, [])):
        scores = torch.tensor([m, *x], dtype=torch.float64)
        top = scores.max()
        terms = (scores - top).exp() * torch.tensor([z, *[1.0] * len(x)], dtype=torch.float64)
        yield module, "mergeBlock", [m, z, x], [top.item(), terms.sum().item(), (scores[0] - top).exp().item()]
    for batch, heads, length, features, block in ((4, 10, 128, 64, 2**17), (1, 1, 1, 2, 64), (8, 16, 8192, 64, 2**20)):
        yield module, "boardBytes", [batch, heads, length], board_bytes(batch, heads, length)
        for hold in (100, 3 * 2**20):
            wanted = tiled_bytes(batch, heads, length, features, block, 3, hold)
            yield module, "tiledBytes", [batch, heads, length, features, block, 3, hold], wanted
