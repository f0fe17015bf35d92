"""Evaluation metrics with one definition, from pandas, Polars and PySpark.

A *task* says which columns hold what; ``evaluate`` counts a frame's rows into an *evaluation*, by
group where asked; its ``metrics()`` are what a client sends. Evaluations of days or partitions
merge. docs/evaluation.md defines every metric.
"""

from lupus.evaluation.binary import Binary
from lupus.evaluation.evaluation import Evaluation, evaluate
from lupus.evaluation.multiclass import Multiclass
from lupus.evaluation.multilabel import Multilabel
from lupus.evaluation.ranking import RankedLists, Ranking
from lupus.evaluation.regression import Regression
from lupus.evaluation.reproduction import Reproduction
from lupus.evaluation.sides import reproduce
from lupus.evaluation.task import Task

__all__ = [
    "Binary",
    "Evaluation",
    "Multiclass",
    "Multilabel",
    "RankedLists",
    "Ranking",
    "Regression",
    "Reproduction",
    "Task",
    "evaluate",
    "reproduce",
]
