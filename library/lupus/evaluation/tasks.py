"""The kinds of tasks by their names, as stored evaluations call them."""

from collections.abc import Mapping
from typing import Any

from lupus.errors import EvaluationError
from lupus.evaluation.binary import Binary
from lupus.evaluation.multiclass import Multiclass
from lupus.evaluation.multilabel import Multilabel
from lupus.evaluation.ranking import RankedLists, Ranking
from lupus.evaluation.regression import Regression
from lupus.evaluation.reproduction import Reproduction
from lupus.evaluation.task import Task

TASKS: dict[str, type[Task]] = {
    task.kind: task
    for task in (Binary, Multiclass, Multilabel, Regression, Ranking, RankedLists, Reproduction)
}


def task_from_dict(document: Mapping[str, Any]) -> Task:
    """Read what ``Task.to_dict`` gave."""
    kind = document.get("kind")
    if kind not in TASKS:
        raise EvaluationError(f"no task is called {kind!r}; there are {', '.join(TASKS)}")
    return TASKS[kind](**{name: value for name, value in document.items() if name != "kind"})
