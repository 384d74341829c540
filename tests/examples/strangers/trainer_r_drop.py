# Texts and labels of his own, and a larger alpha. Prints: loss \d\.\d+
from functools import partial

from trainer_r_drop import RDropTrainer, r_drop
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, TrainingArguments

tokenizer = AutoTokenizer.from_pretrained("encoder")
model = AutoModelForSequenceClassification.from_pretrained("encoder", num_labels=3)
texts = ["Mara went to Oslo .", "Dr Ben works at Graz University today .", "Ada ."]
rows = [{**tokenizer(text), "labels": label} for label, text in enumerate(texts)]
options = {"data_collator": DataCollatorWithPadding(tokenizer), "compute_loss_func": partial(r_drop, alpha=5.0)}
arguments = TrainingArguments("out", max_steps=2, report_to="none")
print("loss", RDropTrainer(model, arguments, train_dataset=rows, **options).train().training_loss)
