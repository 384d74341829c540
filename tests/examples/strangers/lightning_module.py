# The module under a Trainer of his own. Prints: best kept/epoch=\d-f1=[01]\.\d\d\.ckpt
import lightning
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning_module import SpanModule
from torch.utils.data import DataLoader

from gpkl_lib import Tagger
from gpkl_lib.corpora import read_corpus

corpus = read_corpus("train.jsonl")
module = SpanModule(Tagger.from_scratch(corpus.sentences, corpus.types), alpha=1.0)
loader = DataLoader(corpus.sentences, batch_size=5, collate_fn=module.collate)
keep = ModelCheckpoint("kept", filename="{epoch}-{f1:.2f}", monitor="f1", mode="max")
lightning.Trainer(max_epochs=2, logger=False, callbacks=[keep]).fit(module, loader, loader)
print("best", keep.best_model_path[keep.best_model_path.index("kept") :])
