"""A large tagger distilled into a small one, by labels and a teacher's scores.

    python distil.py                             # the built-in toy corpus
    python distil.py TRAIN DEV runs/large        # yours, and a tagger's folder

Prints size and dev F1 of the teacher, of a student that saw the labels alone
and of one that was taught; on the toy corpus 0.84, 0.67 and 0.72. That is one
pair of students. The method is the one that leaves out what the teacher puts
far below 0; the chapter on distillation has the pairs and says why.
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
    labels = TrainingConfig(epochs=epochs, **STEPS)
    if teacher:
        large = Tagger.load(teacher)
    else:
        large = Tagger.from_scratch(train.sentences, train.types)
        fit(large, train, dev, config=labels)

    alone = Tagger.from_scratch(train.sentences, large.types, **SMALL)
    fit(alone, train, dev, config=labels)
    taught = Tagger.from_scratch(train.sentences, large.types, **SMALL)
    both = TrainingConfig(
        "open-distillation", alpha=0.3, temperature=4.0, epochs=epochs, **STEPS
    )
    fit(taught, train, dev, config=both, teacher=large)

    taggers = {"teacher": large, "labels alone": alone, "taught": taught}
    for name, tagger in taggers.items():
        size, f1 = tagger.num_parameters, evaluate(tagger, dev).f1
        print(f"{name}: {size:,} parameters, dev F1 {f1:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
