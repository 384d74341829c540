"""Corpora that have a name here. They stay outside the project: this table says where to get them and how to know them.

`GPKL_DATA` names a folder; "wnut17:train" is then GPKL_DATA/wnut17/wnut17train.conll, or GPKL_DATA/wnut17train.conll.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class KnownCorpus:
    """A published corpus.

    Attributes:
        title: what to call it.
        folder: of its files within GPKL_DATA.
        files: (file name, sha256) of each split.
        origin: where to get it.
        licence: its terms, with whom to cite.

    Example:
        >>> KNOWN["germeval2014"].licence, sorted(KNOWN["germeval2014"].files)
        ('CC BY 4.0 (cite Benikova, Biemann and Reznicek 2014)', ['dev', 'test', 'train'])
    """

    title: str
    folder: str
    files: dict[str, tuple[str, str]]
    origin: str
    licence: str

    def where_to_get(self, split: str) -> str:
        """Origin, licence and checksum of a split, as a sentence for an error or a report."""
        file, sha256 = self.files[split]
        return (
            f"{self.title}: {file} (sha256 {sha256}) from {self.origin}; licence {self.licence}. "
            f"Put it into GPKL_DATA/{self.folder}."
        )


KNOWN = {
    "wnut17": KnownCorpus(
        title="WNUT-17, emerging entities",
        folder="wnut17",
        files={
            "train": ("wnut17train.conll", "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5"),
            "dev": ("emerging.dev.conll", "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8"),
            "test": ("emerging.test.annotated", "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0"),
        },
        origin="https://github.com/leondz/emerging_entities_17 (commit e52a2d2a)",
        licence="CC BY 4.0 (cite Derczynski, Nichols, van Erp and Limsopatham 2017)",
    ),
    "germeval2014": KnownCorpus(
        title="GermEval 2014, nested entities in German",
        folder="germeval2014_nested",
        files={
            "train": ("germ.train.iob2", "c235472587f59e1dfb0682b110f53e6a420dd7d250d2300b7ef4b82ea2ad54fb"),
            "dev": ("germ.dev.iob2", "cc0c0637101e5247ba02df459c0a047ee6c9d6e690353218805d9ef9027b5ede"),
            "test": ("germ.test.iob2", "6a4ed742fb0782cc3b30a2466102574b8805c25c6dfbc7c9be6d7fe38569e16e"),
        },
        origin="GermEval2014.zip in https://github.com/thecharm/boundary-aware-nested-ner (commit 7e87e1cb)",
        licence="CC BY 4.0 (cite Benikova, Biemann and Reznicek 2014)",
    ),
}
"""The published corpora that have a name, by that name."""


def known_file(name: str) -> tuple[KnownCorpus, str] | None:
    """The corpus and the split that "wnut17:train" or the file name "wnut17train.conll" stands for, or None."""
    for key, corpus in KNOWN.items():
        for split, (file, _) in corpus.files.items():
            if name in (f"{key}:{split}", file):
                return corpus, split
    return None


def find_known(corpus: KnownCorpus, split: str) -> Path | None:
    """The file of a split within GPKL_DATA, or None where that is not set or does not hold it.

    Example:
        >>> mine = KnownCorpus("Mine", "mine", {"test": ("no such file", "")}, origin="nowhere", licence="CC0")
        >>> find_known(mine, "test") is None
        True
    """
    folder = os.environ.get("GPKL_DATA")
    if not folder:
        return None
    file = corpus.files[split][0]
    places = [Path(folder, corpus.folder, file), Path(folder, file)]
    return next((place for place in places if place.is_file()), None)
