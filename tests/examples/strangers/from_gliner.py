# Dictionaries of one label from a tagger of his. Prints: \['Ilse'\]
from from_gliner import predict_entities

from gpkl_lib import Tagger
from gpkl_lib.corpora import read_corpus

tagger = Tagger.load("known")
tagger.calibrate(read_corpus("dev.jsonl"))
found = predict_entities(tagger, "Ilse went to Bern.", labels=["PER"])
print([entity["text"] for entity in found])
