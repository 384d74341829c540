"""Training a tagger: one loop for every method, its settings, its history."""

from gpkl_lib.training.config import METHODS, OWN, TWO_VIEWS, TrainingConfig
from gpkl_lib.training.folder import BEST, SCORES
from gpkl_lib.training.history import FILE, History
from gpkl_lib.training.loop import TrainingError, evaluate, fit, training_loss
from gpkl_lib.training.methods import LOSSES, cross_entropy, one_view, rows

__all__ = [
    "BEST",
    "FILE",
    "LOSSES",
    "METHODS",
    "OWN",
    "SCORES",
    "TWO_VIEWS",
    "History",
    "TrainingConfig",
    "TrainingError",
    "cross_entropy",
    "evaluate",
    "fit",
    "one_view",
    "rows",
    "training_loss",
]
