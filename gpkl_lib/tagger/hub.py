"""Taggers on the Hugging Face hub, in the one safe format that `Tagger.save` writes and `Tagger.load` checks."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from gpkl_lib._optional import optional
from gpkl_lib._storage import CheckpointError, write_text
from gpkl_lib.tagger.calibration import DECODING
from gpkl_lib.tagger.card import model_card
from gpkl_lib.tagger.places import DESCRIPTION, WEIGHTS, check_place
from gpkl_lib.tagger.pretrained import TOKENIZER

CARD = "README.md"
HUB_NAME = re.compile(r"[\w.-]*\w[\w.-]*/[\w.-]*\w[\w.-]*")  # and not ../x
FILES = [DESCRIPTION, WEIGHTS, DECODING, *(f"{TOKENIZER}/*.{end}" for end in ("json", "txt", "model"))]
"""All that is fetched of a tagger, and taken away from the hub where a new one has no such file: never code."""


def fetched(place: str | Path, *, token: str | bool | None = None, **options: Any) -> Path:
    """A folder as it is; else a hub name's, "someone/names", in the cache, fetched if it is not there; else the path.

    Args:
        place: a folder or a hub name.
        token, options: as in `huggingface_hub.snapshot_download`.

    Raises:
        ModuleNotFoundError: huggingface_hub is missing; the message names the extra.
        TypeError: neither a path nor a name.
        CheckpointError: a hub name by which nothing can be fetched, or an address in its place.
    """
    check_place("a folder or a hub name", place)
    name = str(place)
    if "://" in name:
        raise CheckpointError(f"{name} is an address: give the hub name that stands in it, someone/names")
    if Path(place).exists() or not HUB_NAME.fullmatch(name):
        return Path(place)
    hub = optional("huggingface_hub", "hub", f"there is no folder {name}, and a hub name")
    with _in_words(f"no tagger could be fetched by the hub name {name!r} (there is no such folder)"):
        return Path(hub.HfApi(token=token).snapshot_download(name, allow_patterns=FILES, **options))


class OnHub:
    """The part of a `Tagger` that shares it, with the names that the hub's other libraries have."""

    def save_pretrained(self, folder: str | Path, *, run: str | Path | None = None, name: str | None = None) -> None:
        """`save`, and a model card beside it, README.md, which replaces one that is there.

        Args:
            folder: where to.
            run: the folder of the training run that made the tagger: its scores and settings stand on the card.
            name: what the card says to load: a hub name; None for the folder's own.

        Raises:
            ModuleNotFoundError: huggingface_hub is missing; the message names the extra.
            CheckpointError: the disk refuses, the run is not finished or made another tagger.

        >>> from gpkl_lib.corpora import toy_corpus
        >>> from gpkl_lib.tagger import Tagger
        >>> corpus = toy_corpus(20)
        >>> tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16)
        >>> tagger.save_pretrained("names")
        >>> Tagger.from_pretrained("names").digest() == tagger.digest()
        True
        """
        me: Any = self
        card = model_card(
            me, name or Path(folder).name, run
        )  # first: a card that cannot be made should leave no tagger
        me.save(folder)
        write_text(Path(folder) / CARD, card)

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | Path,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
    ) -> Self:
        """The tagger of a folder, as `load` gives it, or else of a hub name, from the cache if it is there.

        A stranger's tagger is as safe here as it is for `load`: its code and pickles are not even fetched.

        Args:
            name_or_folder: a folder (then nothing is asked of the network) or a hub name, "someone/names".
            revision: branch, tag or commit on the hub.
            cache_dir, force_download, local_files_only, token: as in `huggingface_hub.snapshot_download`.

        Raises:
            TypeError: neither a path nor a name.
            ModuleNotFoundError: huggingface_hub is missing; the message names the extra.
            CheckpointError: nothing could be fetched, or what was is damaged or something else.

        >>> Tagger.from_pretrained("someone/names", revision="v1")  # doctest: +SKIP
        """
        me: Any = cls
        asked: dict[str, Any] = {"cache_dir": cache_dir, "force_download": force_download, "token": token}
        loaded: Self = me.load(fetched(name_or_folder, revision=revision, local_files_only=local_files_only, **asked))
        return loaded

    def push_to_hub(
        self,
        name: str,
        *,
        run: str | Path | None = None,
        private: bool | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        commit_message: str = "A tagger",
        create_pr: bool = False,
    ) -> str:
        """Write the tagger and its model card to the hub in one commit, in a repository that is made if need be.

        Args:
            name: "me/names".
            run: the folder of the training run that made the tagger: its scores and settings stand on the card.
            private: whether a new repository is; None for what the account does.
            token: of the account; None for the one of `hf auth login`.
            revision: the branch; None for main.
            commit_message: of the commit.
            create_pr: propose the commit and leave the branch as it is.

        Returns:
            The address of the commit.

        Raises:
            ModuleNotFoundError: huggingface_hub is missing; the message names the extra.
            CheckpointError: the hub cannot be reached or refuses; the run is not finished or made another tagger.

        >>> Tagger.load("runs/names").push_to_hub("me/names", run="runs/names")  # doctest: +SKIP
        """
        hub = optional("huggingface_hub", "hub", "the hub")
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder, run=run, name=name)
            with _in_words(f"the tagger could not be pushed to {name!r}"):
                api = hub.HfApi(token=token)
                full = api.create_repo(name, private=private, exist_ok=True).repo_id
                commit = api.upload_folder(
                    repo_id=full,
                    folder_path=folder,
                    revision=revision,
                    commit_message=commit_message,
                    create_pr=create_pr,
                    delete_patterns=FILES,
                )
        return str(commit)


@contextmanager
def _in_words(what: str) -> Iterator[None]:
    """Raise CheckpointError that says what failed, for all that the hub's client raises of network and names."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{what}: {str(error).strip() or type(error).__name__}") from error
