"""Coming from seqeval: rows of tags in, the same scores out; then nested spans.

    python from_seqeval.py

Prints the F1 of the same rows by both, micro (0.5714) and macro (0.5556).
`spans` is the whole of the move; what a `Tagger` predicts and what
`read_corpus` reads are spans already.
"""

from seqeval.metrics import f1_score

from gpkl_lib import span_scores
from gpkl_lib.corpora import decode_tags, detect_scheme

TRUE = [
    ["B-PER", "I-PER", "O", "B-LOC"],
    ["O", "B-ORG", "I-ORG", "O"],
    ["B-LOC", "O", "O", "O"],
]
PREDICTED = [
    ["B-PER", "I-PER", "O", "O"],
    ["O", "B-ORG", "O", "O"],
    ["B-LOC", "O", "O", "O"],
]


def spans(rows, scheme=None):
    """The (type, start, end) of each row of tags, whose scheme is found."""
    scheme = scheme or detect_scheme(rows)
    return [decode_tags(tags, scheme)[0] for tags in rows]


def main():
    """Both on the same rows; and what only one of them can be asked."""
    ours = span_scores(spans(PREDICTED), spans(TRUE))
    micro = f1_score(TRUE, PREDICTED)
    macro = f1_score(TRUE, PREDICTED, average="macro")
    print(f"micro F1: seqeval {micro:.4f}, gpkl_lib {ours.f1:.4f}")
    print(f"macro F1: seqeval {macro:.4f}, gpkl_lib {ours.macro_f1:.4f}")
    nested = [[("ORG", 0, 3), ("LOC", 2, 3)]]  # no row of tags says that
    print(f"nested F1: gpkl_lib {span_scores(nested, nested).f1:.4f}")


if __name__ == "__main__":
    main()
