"""The tagger: an encoder and a span head; it predicts, saves and loads."""

from gpkl_lib.tagger.calibration import DECODING, Calibration, Threshold
from gpkl_lib.tagger.entities import Entity, Prediction
from gpkl_lib.tagger.export import export_onnx, export_program
from gpkl_lib.tagger.places import BEST, CONFIG, DESCRIPTION, SCORES, WEIGHTS, tagger_folder
from gpkl_lib.tagger.pretrained import PretrainedEncoder
from gpkl_lib.tagger.tagger import HeadName, Tagger
from gpkl_lib.tagger.word_encoder import WordEncoder

__all__ = [
    "BEST",
    "CONFIG",
    "DECODING",
    "DESCRIPTION",
    "SCORES",
    "WEIGHTS",
    "Calibration",
    "Entity",
    "HeadName",
    "Prediction",
    "PretrainedEncoder",
    "Tagger",
    "Threshold",
    "WordEncoder",
    "export_onnx",
    "export_program",
    "tagger_folder",
]
