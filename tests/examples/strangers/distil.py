# His tagger as the teacher, and a smaller student. Prints: teacher: .*\nlabels alone: 15,\d{3} .*\ntaught: 15,\d{3} .*
from distil import SMALL, main

from gpkl_lib import Tagger
from gpkl_lib.corpora import read_corpus

train = read_corpus("train.jsonl")
Tagger.from_scratch(train.sentences, train.types, hidden_size=64).save("large")
SMALL["hidden_size"] = 8
main("train.jsonl", "dev.jsonl", teacher="large", epochs=2)
