# The listener with a training of his own. Prints: 2 epochs, 1 file
from pathlib import Path

from log_epochs import tensorboard

from gpkl_lib import Tagger, fit
from gpkl_lib.corpora import read_corpus
from gpkl_lib.training import TrainingConfig

corpus = read_corpus("train.jsonl")
tagger = Tagger.from_scratch(corpus.sentences, corpus.types, hidden_size=16)
history = fit(tagger, corpus, corpus, config=TrainingConfig(epochs=2), on_epoch=tensorboard("curves"))
print(len(history.rows), "epochs,", len([*Path("curves").iterdir()]), "file")
