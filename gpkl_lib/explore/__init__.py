"""Explorables: pictures that the reader plays with, live in a notebook and on the page without a kernel.

Each is one Python class and one ES module over a shared `math.js` (all the maths) and `kit.js` (all the drawing aids).
"""

try:
    import anywidget as _anywidget  # noqa: F401
except ImportError as error:
    raise ImportError(
        "gpkl_lib.explore needs anywidget, which is in the extra 'book': pip install 'gpkl-lib[book]'"
    ) from error

from gpkl_lib.explore.adversarial_direction import AdversarialDirection
from gpkl_lib.explore.alpha import Alpha
from gpkl_lib.explore.balance import Balance
from gpkl_lib.explore.base import MODULES, STATIC, Explorable, css, esm
from gpkl_lib.explore.bounds_of_logsumexp import BoundsOfLogsumexp
from gpkl_lib.explore.choose_your_f import ChooseYourF
from gpkl_lib.explore.code_length import CodeLength
from gpkl_lib.explore.entropy_against_length import EntropyAgainstLength
from gpkl_lib.explore.fit_by_kl import FitByKL
from gpkl_lib.explore.other_decisions import OtherDecisions
from gpkl_lib.explore.quiz import Quiz
from gpkl_lib.explore.scale_for_classes import ScaleForClasses
from gpkl_lib.explore.softmax_logsumexp import SoftmaxLogsumexp
from gpkl_lib.explore.span_board import SpanBoard
from gpkl_lib.explore.temperature_of_a_teacher import TemperatureOfATeacher
from gpkl_lib.explore.tiles import Tiles
from gpkl_lib.explore.training_replayed import TrainingReplayed
from gpkl_lib.explore.two_views import TwoViews
from gpkl_lib.explore.who_counts import WhoCounts

__all__ = [
    "MODULES",
    "STATIC",
    "AdversarialDirection",
    "Alpha",
    "Balance",
    "BoundsOfLogsumexp",
    "ChooseYourF",
    "CodeLength",
    "EntropyAgainstLength",
    "Explorable",
    "FitByKL",
    "OtherDecisions",
    "Quiz",
    "ScaleForClasses",
    "SoftmaxLogsumexp",
    "SpanBoard",
    "TemperatureOfATeacher",
    "Tiles",
    "TrainingReplayed",
    "TwoViews",
    "WhoCounts",
    "css",
    "esm",
]
