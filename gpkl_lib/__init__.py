"""Divergences at the logits, the GlobalPointer head and its loss, and training that asks two outputs to agree."""

import typing

from gpkl_lib import _optional

if typing.TYPE_CHECKING:
    from gpkl_lib.adversarial import virtual_adversarial_loss
    from gpkl_lib.consistency import annealing_threshold, distillation_loss, doubled, rdrop_loss, two_views, uda_loss
    from gpkl_lib.corpora import Sentence
    from gpkl_lib.divergence import jensen_shannon, kl_divergence, symmetric_kl
    from gpkl_lib.global_pointer import EfficientGlobalPointer, GlobalPointer, span_mask
    from gpkl_lib.losses import multilabel_cross_entropy, plateau_bound, soft_f1_loss, sparse_multilabel_cross_entropy
    from gpkl_lib.smoothing import entropy, logsumexp, softmax
    from gpkl_lib.span_loss import global_pointer_loss, global_pointer_rdrop_loss
    from gpkl_lib.spans import GoldCells, decode_spans, gold_cells, span_scores
    from gpkl_lib.tagger import Tagger
    from gpkl_lib.tiled import tiled_head_loss
    from gpkl_lib.training import fit

__all__ = [
    "EfficientGlobalPointer",
    "GlobalPointer",
    "GoldCells",
    "Sentence",
    "Tagger",
    "annealing_threshold",
    "decode_spans",
    "distillation_loss",
    "doubled",
    "entropy",
    "fit",
    "global_pointer_loss",
    "global_pointer_rdrop_loss",
    "gold_cells",
    "jensen_shannon",
    "kl_divergence",
    "logsumexp",
    "multilabel_cross_entropy",
    "plateau_bound",
    "rdrop_loss",
    "soft_f1_loss",
    "softmax",
    "span_mask",
    "span_scores",
    "sparse_multilabel_cross_entropy",
    "symmetric_kl",
    "tiled_head_loss",
    "two_views",
    "uda_loss",
    "virtual_adversarial_loss",
]

_FROM = {
    "adversarial": ("virtual_adversarial_loss",),
    "consistency": ("annealing_threshold", "distillation_loss", "doubled", "rdrop_loss", "two_views", "uda_loss"),
    "corpora": ("Sentence",),
    "divergence": ("jensen_shannon", "kl_divergence", "symmetric_kl"),
    "global_pointer": ("EfficientGlobalPointer", "GlobalPointer", "span_mask"),
    "losses": ("multilabel_cross_entropy", "plateau_bound", "soft_f1_loss", "sparse_multilabel_cross_entropy"),
    "smoothing": ("entropy", "logsumexp", "softmax"),
    "span_loss": ("global_pointer_loss", "global_pointer_rdrop_loss"),
    "spans": ("GoldCells", "decode_spans", "gold_cells", "span_scores"),
    "tagger": ("Tagger",),
    "tiled": ("tiled_head_loss",),
    "training": ("fit",),
}

__getattr__ = _optional.handing_on(__name__, _FROM)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
