"""A trained tagger on disk as the teacher of others: what it is, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gpkl_lib._storage import CheckpointError, Row, digest, read_json, read_tensors
from gpkl_lib.corpora import Corpus, contents
from gpkl_lib.experiments.records import identity
from gpkl_lib.tagger import CONFIG, WEIGHTS, Tagger, tagger_folder
from gpkl_lib.training import evaluate

_records: dict[str, Row] = {}  # a teacher has many students in a comparison: it is scored once a process


@dataclass(frozen=True)
class Teacher:
    """The tagger in `folder`: a saved tagger's own, or that of a run, whose best epoch it then is.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from gpkl_lib.corpora import toy_corpus
        >>> corpus, folder = toy_corpus(8), Path(tempfile.mkdtemp())
        >>> Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=8).save(folder)
        >>> Teacher(folder).load().types == corpus.types
        True
    """

    folder: Path

    @property
    def weights(self) -> str:
        """The tagger's `digest`, by its file alone. Raises CheckpointError if there is none."""
        file = tagger_folder(self.folder) / WEIGHTS
        if not file.is_file():
            raise CheckpointError(f"no teacher in {self.folder} ({WEIGHTS} is missing); gpkl train makes one")
        return digest(*read_tensors(file))

    @property
    def name(self) -> str:
        """What names the teacher in the settings of its students: a digest of what it was trained with.

        So a teacher that is trained again is the same teacher, though rounding has moved its weights. A tagger without
        its run is named by its weights.
        """
        file = self.folder / CONFIG
        if not file.is_file():
            return self.weights
        asked = read_json(file)
        for part, free in (("config", ("device", "checkpoint_seconds")), ("train", ("name",)), ("dev", ("name",))):
            asked[part] = {key: value for key, value in asked[part].items() if key not in free}
        return identity(asked)

    def load(self) -> Tagger:
        """The tagger, in evaluation mode. Raises CheckpointError as `Tagger.load`."""
        return Tagger.load(self.folder)

    def record(self, parts: Mapping[str, Corpus]) -> Row:
        """Folder, digest of the weights, number of parameters, and F1 on the "dev" and "test" among `parts`."""
        scored = {part: corpus for part, corpus in parts.items() if part != "train"}
        key = " ".join([self.weights, *(contents(corpus) for corpus in scored.values())])
        if key not in _records:
            tagger = self.load()
            _records[key] = {"weights": self.weights, "parameters": tagger.num_parameters} | {
                part: {"f1": evaluate(tagger, corpus).f1} for part, corpus in scored.items()
            }
        return {"folder": str(self.folder), **_records[key]}
