# The model under a Trainer of his own. Prints: F1 [01]\.\d+
from functools import partial

from trainer_global_pointer import SpanModel, collate, metrics, rows_of
from transformers import Trainer, TrainingArguments

from gpkl_lib import Tagger
from gpkl_lib.corpora import read_corpus

rows = rows_of(read_corpus("train.jsonl"))
tagger = Tagger.from_encoder("encoder", ["PER", "LOC", "ORG"])
options = {"data_collator": partial(collate, tagger=tagger), "compute_metrics": partial(metrics, types=tagger.types)}
arguments = TrainingArguments("out", max_steps=2, remove_unused_columns=False, report_to="none")
trainer = Trainer(SpanModel(tagger), arguments, train_dataset=rows, eval_dataset=rows, **options)
trainer.train()
print("F1", trainer.evaluate()["eval_f1"])
