"""Training a tagger: one loop for every method, its settings, its hooks, its history."""

from gpkl_lib.span_loss import TILED_FROM
from gpkl_lib.training.config import TrainingConfig
from gpkl_lib.training.evaluation import evaluate
from gpkl_lib.training.folder import LOCK, holds_training
from gpkl_lib.training.history import History
from gpkl_lib.training.loop import LearningWarning, TrainingError, fit, training_loss
from gpkl_lib.training.methods import METHODS, TWO_VIEWS, Method, Setting, Step, own_settings, register
from gpkl_lib.training.methods.two_views import cross_entropy, rows
from gpkl_lib.training.progress import Progress
from gpkl_lib.training.tiles import takes_tiles

__all__ = [
    "LOCK",
    "METHODS",
    "TILED_FROM",
    "TWO_VIEWS",
    "History",
    "LearningWarning",
    "Method",
    "Progress",
    "Setting",
    "Step",
    "TrainingConfig",
    "TrainingError",
    "cross_entropy",
    "evaluate",
    "fit",
    "holds_training",
    "own_settings",
    "register",
    "rows",
    "takes_tiles",
    "training_loss",
]
