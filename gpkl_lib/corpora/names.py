"""Made-up names for the toy corpus, put together from syllables; each split of the corpus has some of its own."""

from __future__ import annotations

import random
from dataclasses import dataclass

ONSETS = [
    "B",
    "Br",
    "C",
    "D",
    "Dr",
    "F",
    "G",
    "Gr",
    "H",
    "K",
    "L",
    "M",
    "N",
    "P",
    "Pr",
    "R",
    "S",
    "St",
    "T",
    "Tr",
    "V",
    "W",
]
VOWELS = ["a", "e", "i", "o", "u"]
MIDDLES = ["l", "ll", "r", "rr", "n", "nn", "m", "d", "st", "nd", "rt", "lv", "sk", "v", "th", "rn"]
FIRST_ENDINGS = ["a", "o", "en", "is", "ia", "el", "or", "ine", "us", "ette"]
SHARED_ENDINGS = ["ow", "en", "ard", "ell", "in", "er", "ock", "ane"]  # surnames, places and companies alike
SURNAME_ENDINGS = ["sen", "ley", "kins", "man", "ov"]
PLACE_ENDINGS = ["wick", "ton", "by", "mouth", "stead"]
SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Names:
    """The names one split may use: lists of words, by kind ("first", "surname", "place", "company").

    A shared root stands in three of the lists: it is a surname, a place and a company, and only the sentence tells.
    """

    known: dict[str, list[str]]
    own: dict[str, list[str]]

    def draw(self, kind: str, generator: random.Random) -> str:
        """A name of that kind; in dev and test one that training never saw, half of the time."""
        pool = self.own if generator.random() < 0.5 else self.known
        return generator.choice(pool[kind])


def make_names(split: str, seed: int) -> Names:
    """The inventory of a split. `known` is training's and the same in all three; `own` is disjoint between the splits.

    In training both are one list.
    """
    generator = random.Random(f"toy names {seed}")
    taken: set[str] = set()
    first = _invent(FIRST_ENDINGS, 120, generator, taken)
    shared = _invent(SHARED_ENDINGS, 160, generator, taken)
    surname = _invent(SURNAME_ENDINGS, 60, generator, taken)
    place = _invent(PLACE_ENDINGS, 60, generator, taken)
    shares = {"train": slice(0, None, 2), "dev": slice(1, None, 4), "test": slice(3, None, 4)}

    def lists(part: slice) -> dict[str, list[str]]:
        roots = shared[part]
        return {"first": first[part], "surname": roots + surname[part], "place": roots + place[part], "company": roots}

    return Names(lists(shares["train"]), lists(shares[split]))


def _invent(endings: list[str], count: int, generator: random.Random, taken: set[str]) -> list[str]:
    """`count` distinct words that no earlier call made."""
    words: list[str] = []
    while len(words) < count:
        stem = generator.choice(ONSETS) + generator.choice(VOWELS) + generator.choice(MIDDLES)
        word = stem + generator.choice(endings)
        if word not in taken:
            taken.add(word)
            words.append(word)
    return words
