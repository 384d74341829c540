"""Damage to the newest checkpoint of a run: whatever is done to it, loading passes it over and says so.

python tests/campaign/checkpoints.py [TRIES]
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from gpkl_lib._storage import CURRENT, PREVIOUS, digest, load_checkpoint, read_tensors
from gpkl_lib.corpora import toy_corpus
from gpkl_lib.tagger import Tagger
from gpkl_lib.training import LearningWarning, TrainingConfig, fit

TRIES = 1000


def flipped(data: bytearray, dice: random.Random, end: int) -> None:
    """Turn one bit of the bytes before `end`."""
    data[dice.randrange(end)] ^= 1 << dice.randrange(8)


def in_header(data: bytearray, dice: random.Random) -> None:
    """Turn a bit of what describes the tensors and holds the state."""
    flipped(data, dice, 8 + int.from_bytes(data[:8], "little"))


def anywhere(data: bytearray, dice: random.Random) -> None:
    """Turn a bit of the file."""
    flipped(data, dice, len(data))


def other_byte(data: bytearray, dice: random.Random) -> None:
    """Put another byte of the header in the place of one, so that it more often stays JSON."""
    end = 8 + int.from_bytes(data[:8], "little")
    data[dice.randrange(8, end)] = data[dice.randrange(8, end)]


def cut(data: bytearray, dice: random.Random) -> None:
    """Cut the file short."""
    del data[dice.randrange(len(data)) :]


def zeros(data: bytearray, dice: random.Random) -> None:
    """Leave a stretch empty, as a disk does that lost a block."""
    start = dice.randrange(len(data))
    data[start : start + 512] = bytes(len(data[start : start + 512]))


DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (in_header, anywhere, other_byte, cut, zeros)


def campaign(folder: Path, tries: int, seed: int = 0) -> Counter[str]:
    """How often each damage was passed over with a warning, or changed nothing; anything else is counted as a FAULT."""
    train, dev = toy_corpus(20), toy_corpus(8, split="dev")
    sizes = {"word_size": 8, "character_size": 4, "hidden_size": 12, "head_size": 8}
    tagger = Tagger.from_scratch(train.sentences, train.types, **sizes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LearningWarning)
        config = TrainingConfig(epochs=2, batch_size=8, device="cpu")
        fit(tagger, train, dev, config=config, output=folder, progress=False)
    checkpoints = folder / "checkpoint"
    newest, before = (digest(*read_tensors(checkpoints / name)) for name in (CURRENT, PREVIOUS))
    whole, found, dice = (checkpoints / CURRENT).read_bytes(), Counter[str](), random.Random(seed)
    for number in range(tries):
        damage, data = DAMAGES[number % len(DAMAGES)], bytearray(whole)
        damage(data, dice)
        (checkpoints / CURRENT).write_bytes(data)
        found[f"{damage.__name__}: {_outcome(checkpoints, newest, before)}"] += 1
    return found


def _outcome(checkpoints: Path, newest: str, before: str) -> str:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            loaded = load_checkpoint(checkpoints)
        except Exception as error:  # any is a fault: there is a whole checkpoint beside the damaged one
            return f"FAULT, {error!r}"
    assert loaded is not None
    told = any(f"going back to {checkpoints / PREVIOUS}, step {loaded[1]['step']}" in str(w.message) for w in said)
    same = digest(loaded[0], {"state": json.dumps(loaded[1])})
    if told and same == before:
        return "passed over, and said so"
    return "nothing changed" if same == newest and not said else "FAULT, another state in silence"


def main() -> int:
    """Run the campaign and print its table; 1 where there is a fault."""
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else TRIES
    with tempfile.TemporaryDirectory() as folder:
        found = campaign(Path(folder) / "run", tries)
    for what, count in sorted(found.items()):
        print(f"{count:6,}  {what}")
    return int(any("FAULT" in what for what in found))


if __name__ == "__main__":
    sys.exit(main())
