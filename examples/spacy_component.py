"""A tagger as a component of a spaCy pipeline: nested spans in `doc.spans`, each with its score.

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("global_pointer").tagger = Tagger.load("runs/mine")
    doc = nlp("Anna works at Berlin University.")
    for span, score in zip(doc.spans["sc"], doc.spans["sc"].attrs["scores"]):
        print(span.text, span.label_, score)

`python spacy_component.py TAGGER "Some text."` prints the spans of a text; without arguments, with a
tagger that it trains on the toy corpus. Scores are logits, all above the tagger's threshold. The tagger
goes where weights go, through `nlp.to_disk` and `nlp.to_bytes`. Import this file before `spacy.load`:
that is how spaCy knows the component.
"""

import io
import shutil
import sys
import zipfile
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Span

from gpkl_lib import Tagger, fit
from gpkl_lib.corpora import toy_corpus


@Language.factory("global_pointer", default_config={"spans_key": "sc"})
class GlobalPointerComponent:
    """Asks a tagger for the spans of each sentence, or of the whole text where nothing has set sentences."""

    def __init__(self, nlp, name, spans_key):
        self.name, self.spans_key, self.tagger = name, spans_key, None

    def __call__(self, doc):
        """The doc, with its spans."""
        return next(self.pipe([doc]))

    def pipe(self, docs, batch_size=128):
        """The docs, with their spans; as many at a time as nlp.pipe has for a batch."""
        docs = iter(docs)
        while batch := list(islice(docs, batch_size)):
            parts = [part for doc in batch for part in (doc.sents if doc.has_annotation("SENT_START") else [doc[:]])]
            words = [[token for token in part if not token.is_space] for part in parts]
            found = {doc: [] for doc in batch}
            answers = self.known().entities([[token.text for token in row] for row in words])
            for row, entities in zip(words, answers, strict=True):
                for entity in entities:
                    first, last = row[entity.start_token], row[entity.end_token - 1]
                    found[first.doc].append((Span(first.doc, first.i, last.i + 1, entity.type), entity.score))
            for doc, spans in found.items():
                doc.spans[self.spans_key] = [span for span, _ in spans]
                doc.spans[self.spans_key].attrs["scores"] = np.array([score for _, score in spans])
                yield doc

    def known(self):
        """The tagger, or an error that says where it comes from."""
        if self.tagger is None:
            raise ValueError('no tagger yet: nlp.add_pipe("global_pointer").tagger = Tagger.load(...)')
        return self.tagger

    def to_disk(self, path, exclude=()):
        """Write the tagger into the folder `path`."""
        self.known().save(path)

    def from_disk(self, path, exclude=()):
        """Load it again."""
        self.tagger = Tagger.load(path)
        return self

    def to_bytes(self, exclude=()):
        """The folder as a zip."""
        with TemporaryDirectory() as folder:
            self.to_disk(f"{folder}/tagger")
            return Path(shutil.make_archive(f"{folder}/tagger", "zip", f"{folder}/tagger")).read_bytes()

    def from_bytes(self, data, exclude=()):
        """Load it again."""
        with TemporaryDirectory() as folder:
            zipfile.ZipFile(io.BytesIO(data)).extractall(folder)
            return self.from_disk(folder)


def main(tagger=None, text="Near Drillsen Hall, Provane returned from Vernen to old Stuster."):
    """Two pipelines, the second loaded from the first, find the same."""
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    component = nlp.add_pipe("global_pointer")
    if tagger:
        component.tagger = Tagger.load(tagger)
    else:
        train, dev = toy_corpus(), toy_corpus(split="dev")
        component.tagger = Tagger.from_scratch(train.sentences, train.types)
        fit(component.tagger, train, dev)
    nlp.to_disk("pipeline")
    (doc,) = spacy.load("pipeline").pipe([text])
    for span, score in zip(doc.spans["sc"], doc.spans["sc"].attrs["scores"], strict=True):
        print(f"{span.start_char}-{span.end_char} {span.label_} {span.text!r} {score:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
