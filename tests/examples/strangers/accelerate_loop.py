# Its tagger in a program of his own. Prints: \[?.*Oslo.*
from accelerate_loop import main

from gpkl_lib import Tagger

main("train.jsonl", "dev.jsonl", epochs=8)
tagger = Tagger.load("tagger")
print([entity.text for entity in tagger.entities("Mara went to Oslo.")])
