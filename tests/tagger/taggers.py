"""Small taggers for the tests."""

import torch

from gpkl_lib.corpora import toy_corpus
from gpkl_lib.tagger.tagger import Tagger

CORPUS = toy_corpus(12)
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ber", "##lin", "##s", "is", "a", "city", "."]
SMALL = {"word_size": 8, "character_size": 4, "hidden_size": 12, "head_size": 8}


def small_tagger(**settings):
    return Tagger.from_scratch(CORPUS.sentences, CORPUS.types, **{**SMALL, **settings}).eval()


def scores(tagger, sentences):
    batch = tagger.collate(sentences)
    with torch.no_grad():
        return tagger.eval()(batch)


def talkative(tagger):
    """Push all scores up, so that an untrained tagger predicts something."""
    with torch.no_grad():
        for parameter in tagger.head.parameters():
            parameter.mul_(5)
    return tagger


def check_embeddings(tagger, sentences):
    """Given back what `embed` made, the tagger gives the same scores; padding is told; moved ones go their own way."""
    batch = tagger.eval().collate(sentences)
    embeddings, mask = tagger.embed(batch)
    assert mask.dtype == torch.bool
    assert mask.shape == embeddings.shape[:-1]
    torch.testing.assert_close(tagger(batch, embeddings), tagger(batch))
    garbage = embeddings.masked_fill(~mask[..., None], 7.0)
    torch.testing.assert_close(tagger(batch, garbage), tagger(batch))
    moved = tagger(batch, embeddings + 0.1 * torch.randn_like(embeddings))
    assert not torch.allclose(moved, tagger(batch))
    return batch, embeddings, mask
