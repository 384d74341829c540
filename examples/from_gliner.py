"""Coming from GLiNER: its training rows go in, and its dictionaries come out.

    python from_gliner.py                                # the toy corpus
    python from_gliner.py TRAIN.json DEV.json "A text."  # yours

A row of training is {"tokenized_text": ["Anna", "works"], "ner": [[0, 0,
"PER"]]}, the end inclusive; `read_corpus` makes it exclusive, as it is in
everything here. GLiNER finds any label that it is asked for; a tagger finds
those that it was trained on. Prints the entities of a text.
"""

import sys

from gpkl_lib import Tagger, fit
from gpkl_lib.corpora import convert_corpus, read_corpus


def predict_entities(tagger, text, labels=None, flat_ner=True, threshold=0.5):
    """What GLiNER's method gives, from a calibrated tagger."""
    found = tagger.entities(text, threshold=-5.0, probability=True)
    found = [e for e in found if e.probability > threshold]
    if labels is not None:
        found = [e for e in found if e.type in labels]
    if flat_ner:  # the surest first, and none that overlaps one of those
        sure, found = sorted(found, key=lambda e: -e.probability), []
        for e in sure:
            if not any(overlap(e, other) for other in found):
                found.append(e)
    return [
        {
            "start": e.start_char,
            "end": e.end_char,
            "text": e.text,
            "label": e.type,
            "score": e.probability,
        }
        for e in sorted(found, key=lambda e: e.start_char)
    ]


def overlap(one, other):
    """Whether two entities share a character."""
    return one.start_char < other.end_char and other.start_char < one.end_char


TEXT = "Near Drillsen Hall, Provane returned from Vernen to old Stuster."


def main(train=None, dev=None, text=TEXT):
    """Train on GLiNER's rows, calibrate on others, and predict in its form."""
    if train is None:
        train, dev = "train.json", "dev.json"
        convert_corpus("toy:train", train, to="gliner")
        convert_corpus("toy:dev", dev, to="gliner")
    train, dev = read_corpus(train), read_corpus(dev)
    tagger = Tagger.from_scratch(train.sentences, train.types)
    fit(tagger, train, dev)
    tagger.calibrate(dev)
    for entity in predict_entities(tagger, text):
        print(entity)


if __name__ == "__main__":
    main(*sys.argv[1:])
