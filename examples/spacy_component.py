"""A tagger in a spaCy pipeline: nested spans in `doc.spans`, with their scores.

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("global_pointer").tagger = Tagger.load("runs/mine")
    spans = nlp("Anna works at Berlin University.").spans["sc"]
    for span, score in zip(spans, spans.attrs["scores"]):
        print(span.text, span.label_, score)

`python spacy_component.py TAGGER "Some text."` prints the spans of a text;
without arguments, with a tagger that it trains on the toy corpus.

Scores are logits, all above the tagger's threshold. The tagger goes where
weights go, through `nlp.to_disk` and `nlp.to_bytes`. Import this file before
`spacy.load`: that is how spaCy knows the component.
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


def sentences(doc):
    """The words of each sentence; of the whole text where there are none."""
    parts = doc.sents if doc.has_annotation("SENT_START") else [doc]
    return [[word for word in part if not word.is_space] for part in parts]


def span_of(doc, words, entity):
    """An entity that was found in these words, as a span of spaCy's."""
    first, last = words[entity.start_token], words[entity.end_token - 1]
    return Span(doc, first.i, last.i + 1, entity.type)


@Language.factory("global_pointer", default_config={"spans_key": "sc"})
class GlobalPointerComponent:
    """Asks a tagger for the spans of each sentence."""

    def __init__(self, nlp, name, spans_key):
        self.name, self.spans_key, self.tagger = name, spans_key, None

    def __call__(self, doc):
        """The doc, with its spans."""
        return next(self.pipe([doc]))

    def pipe(self, docs, batch_size=128):
        """The docs, with their spans, a batch at a time."""
        docs, key = iter(docs), self.spans_key
        while batch := list(islice(docs, batch_size)):
            texts = [sentences(doc) for doc in batch]
            asked = [[w.text for w in row] for text in texts for row in text]
            answers = iter(self.known().entities(asked))
            for doc, text in zip(batch, texts, strict=True):
                found = [(row, e) for row in text for e in next(answers)]
                doc.spans[key] = [span_of(doc, row, e) for row, e in found]
                scores = np.array([e.score for _, e in found])
                doc.spans[key].attrs["scores"] = scores
                yield doc

    def known(self):
        """The tagger, or an error that says where one comes from."""
        if self.tagger is None:
            known = 'nlp.add_pipe("global_pointer").tagger = Tagger.load(...)'
            raise ValueError(f"no tagger yet: {known}")
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
            inside, packed = Path(folder, "tagger"), Path(folder, "packed")
            self.to_disk(inside)
            return Path(shutil.make_archive(packed, "zip", inside)).read_bytes()

    def from_bytes(self, data, exclude=()):
        """Load it again."""
        with TemporaryDirectory() as folder:
            zipfile.ZipFile(io.BytesIO(data)).extractall(folder)
            return self.from_disk(folder)


TEXT = "Near Drillsen Hall, Provane returned from Vernen to old Stuster."


def main(tagger=None, text=TEXT):
    """Two pipelines, the second loaded from what the first wrote."""
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
    found = doc.spans["sc"]
    for span, score in zip(found, found.attrs["scores"], strict=True):
        place = f"{span.start_char}-{span.end_char}"
        print(f"{place} {span.label_} {span.text!r} {score:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
