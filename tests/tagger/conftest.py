"""A pretrained encoder, tiny and made here."""

import pytest
import torch
from taggers import VOCABULARY


@pytest.fixture
def tiny_bert(tmp_path):
    """A folder with a BERT of random weights that reads at most 12 pieces, [CLS] and [SEP] included."""
    transformers = pytest.importorskip("transformers", reason="needs the extra transformers")
    folder = tmp_path / "bert"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=512).save_pretrained(folder)
    size = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(vocab_size=len(VOCABULARY), max_position_embeddings=12, **size)
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    return folder
