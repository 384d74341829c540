"""The tagger: an encoder and a span head; it predicts, saves and loads."""

from gpkl_lib.tagger.export import export_onnx, export_program
from gpkl_lib.tagger.pretrained import PretrainedEncoder
from gpkl_lib.tagger.tagger import DESCRIPTION, WEIGHTS, Tagger
from gpkl_lib.tagger.word_encoder import WordEncoder

__all__ = [
    "DESCRIPTION",
    "WEIGHTS",
    "PretrainedEncoder",
    "Tagger",
    "WordEncoder",
    "export_onnx",
    "export_program",
]
