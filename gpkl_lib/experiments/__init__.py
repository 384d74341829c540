"""Experiments: methods x weights x seeds x corpora, recorded row by row, compared in pairs.

What is read of the rows of a comparison, here of two methods and three seeds; the examples of this package use them:

>>> def row(method, alpha, seed, f1):
...     config = {"method": method, "alpha": alpha, "alpha_warmup": 0.0, "seed": seed}
...     found = {"f1": f1, "precision": f1, "recall": f1}
...     cost = {"steps": 50, "seconds": 1.0, "cpu_seconds": 1.0, "history": {"f1": [f1], "divergence": [None]}}
...     return {"corpus": {"name": "mine"}, "model": {}, "config": config, "dev": found, "test": found, **cost}
>>> rows = [row("none", 0.0, seed, 0.50 + seed / 100) for seed in range(3)]
>>> rows += [row("sigmoid", 0.4, seed, 0.55 + seed / 90) for seed in range(3)]
"""

from gpkl_lib._storage import read_rows
from gpkl_lib.experiments.contrasts import Contrast, bootstrapped, contrasts, unit_weight
from gpkl_lib.experiments.engines import dask_client
from gpkl_lib.experiments.errors import (
    VERDICTS,
    Match,
    confusion,
    counts,
    counts_by_type,
    counts_of_nested,
    counts_of_type,
    span_errors,
)
from gpkl_lib.experiments.plots import comparison_figure, difference_plot
from gpkl_lib.experiments.records import identity, provenance, read_counts
from gpkl_lib.experiments.runner import compare, run_trial, score_record
from gpkl_lib.experiments.summary import (
    MARGIN,
    MethodSummary,
    by_method,
    groups,
    label,
    remarks,
    summarise,
    titles,
    variants,
)
from gpkl_lib.experiments.tables import (
    choice,
    comparison_table,
    confusion_rows,
    confusion_table,
    error_rows,
    errors_table,
    history_table,
    in_words,
    interval,
    score_rows,
    scores_table,
    show,
)
from gpkl_lib.experiments.teachers import Teacher
from gpkl_lib.experiments.trials import ModelConfig, Task, Trial, best_on_dev, grid

__all__ = [
    "MARGIN",
    "VERDICTS",
    "Contrast",
    "Match",
    "MethodSummary",
    "ModelConfig",
    "Task",
    "Teacher",
    "Trial",
    "best_on_dev",
    "bootstrapped",
    "by_method",
    "choice",
    "compare",
    "comparison_figure",
    "comparison_table",
    "confusion",
    "confusion_rows",
    "confusion_table",
    "contrasts",
    "counts",
    "counts_by_type",
    "counts_of_nested",
    "counts_of_type",
    "dask_client",
    "difference_plot",
    "error_rows",
    "errors_table",
    "grid",
    "groups",
    "history_table",
    "identity",
    "in_words",
    "interval",
    "label",
    "provenance",
    "read_counts",
    "read_rows",
    "remarks",
    "run_trial",
    "score_record",
    "score_rows",
    "scores_table",
    "show",
    "span_errors",
    "summarise",
    "titles",
    "unit_weight",
    "variants",
]
