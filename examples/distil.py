"""A large tagger distilled into a small one, which learns from the labels and from the teacher's scores.

    python distil.py                                      # the built-in toy corpus
    python distil.py TRAIN.conll DEV.conll runs/large     # yours, and the folder of a tagger that you have

Prints size and dev F1 of the teacher, of a student that saw the labels alone and of one that was
taught; on the toy corpus 0.84, 0.67 and 0.72. That is one pair of students. The method is the one that
leaves out what the teacher puts far below 0; the chapter on distillation has the pairs and says why.
"""

import sys

from gpkl_lib import Tagger, fit
from gpkl_lib.corpora import read_corpus
from gpkl_lib.training import TrainingConfig, evaluate

SMALL = {"hidden_size": 32, "dropout": 0.1}
STEPS = {"batch_size": 8, "learning_rate": 0.01}


def main(train="toy:train", dev="toy:dev", teacher=None, epochs=12):
    """A teacher, and two students that differ in nothing but having one."""
    train, dev = read_corpus(train), read_corpus(dev)
    large = Tagger.load(teacher) if teacher else Tagger.from_scratch(train.sentences, train.types)
    if not teacher:
        fit(large, train, dev, config=TrainingConfig(epochs=epochs, **STEPS))
    alone, taught = (Tagger.from_scratch(train.sentences, large.types, **SMALL) for _ in range(2))
    fit(alone, train, dev, config=TrainingConfig(epochs=epochs, **STEPS))
    config = TrainingConfig("open-distillation", alpha=0.3, temperature=4.0, epochs=epochs, **STEPS)
    fit(taught, train, dev, config=config, teacher=large)
    for name, tagger in (("teacher", large), ("labels alone", alone), ("taught", taught)):
        print(f"{name}: {tagger.num_parameters:,} parameters, dev F1 {evaluate(tagger, dev).f1:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
