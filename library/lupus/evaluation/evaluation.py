"""An evaluation: what a task counted in each group of rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import isfinite
from typing import Any, Optional, Union

import numpy as np

from lupus.errors import EvaluationError
from lupus.evaluation.columns import columns_of, is_spark
from lupus.evaluation.groups import MOST_GROUPS, Group, groups_of
from lupus.evaluation.state import State
from lupus.evaluation.task import Task
from lupus.evaluation.tasks import task_from_dict
from lupus.metric import Metric
from lupus.metrics import Metrics
from lupus.statistics.labels import labels_of

VERSION = 1
RESERVED = ("class", "predicted", "quantile")  # labels of metrics
By = Union[str, Sequence[str], Mapping[str, str]]


@dataclass(frozen=True)
class Evaluation:
    """What a task counted, by group; merges with that of other rows, days or partitions.

    Parameters
    ----------
    task : Task
        What was evaluated.
    by : tuple of str
        Labels of the groups.
    groups : mapping of tuple of str to State
        What was counted of each group.
    """

    task: Task
    by: tuple[str, ...]
    groups: Mapping[Group, State]

    def metrics(self) -> Metrics:
        """Give all metrics, each group's values as labels."""
        return Metrics(
            Metric(one.name, _finite(one.value), {**dict(zip(self.by, group)), **one.labels})
            for group, state in sorted(self.groups.items())
            for one in self.task.measures(state)
        )

    def merge(self, other: "Evaluation") -> "Evaluation":
        """Count the rows of both; EvaluationError unless task and groups are the same.

        A task that counts rows together (a user's ranked list) must find all of them in one part.
        """
        if (self.task.to_dict(), self.by) != (other.task.to_dict(), other.by):
            raise EvaluationError(
                f"{self.task} by {self.by} cannot be merged with {other.task} by {other.by}"
            )
        both = dict(self.groups)
        for group, state in other.groups.items():
            both[group] = both[group].merge(state) if group in both else state
        return Evaluation(self.task, self.by, both)

    def overall(self) -> "Evaluation":
        """Give the evaluation of all groups' rows together."""
        states = list(self.groups.values())
        return Evaluation(self.task, (), {(): reduce(State.merge, states)} if states else {})

    def to_dict(self) -> dict[str, Any]:
        """Give what JSON can hold, to be merged with another day's."""
        return {
            "evaluation": VERSION,
            "task": self.task.to_dict(),
            "by": list(self.by),
            "groups": [
                {"group": list(group), **state.to_dict()}
                for group, state in sorted(self.groups.items())
            ],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Evaluation":
        """Read what ``to_dict`` gave; EvaluationError when it did not."""
        try:
            if document["evaluation"] != VERSION:
                raise ValueError(f"version {document['evaluation']}, not {VERSION}")
            return cls(
                task_from_dict(document["task"]),
                tuple(document["by"]),
                {tuple(one["group"]): State.from_dict(one) for one in document["groups"]},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EvaluationError(f"this is no stored evaluation: {error!r}") from error

    def to_json(self) -> str:
        """Give ``to_dict`` as text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: Union[str, bytes]) -> "Evaluation":
        """Read what ``to_json`` gave."""
        try:
            return cls.from_dict(json.loads(text))
        except json.JSONDecodeError as error:
            raise EvaluationError(f"this is no stored evaluation: {error}") from error

    def __repr__(self) -> str:
        groups = f" of {len(self.groups)} groups" if self.by else ""
        return f"<Evaluation: {self.task.kind}{groups}>\n{self.metrics()}"

    def _repr_html_(self) -> str:
        return self.metrics()._repr_html_()


def evaluate(frame: Any, task: Task, by: By = (), most_groups: int = MOST_GROUPS) -> Evaluation:
    """Evaluate a model on a frame.

    Parameters
    ----------
    frame : DataFrame of pandas, Polars or PySpark, Arrow table, or mapping of arrays
        Rows; of PySpark's only what was counted leaves the partitions.
    task : Task
        ``Binary``, ``Multiclass``, ``Multilabel``, ``Regression``, ``Ranking``...
    by : str, sequence of str, or mapping of str to str
        Columns (or labels and their columns) whose values make groups; a missing value is the group
        ``(null)``.
    most_groups : int
        With more groups a column is taken for a mistake.

    Returns
    -------
    Evaluation
        Its ``metrics()`` are what a client sends.

    Raises
    ------
    FrameError
        If a column is missing or holds other values than the task needs.
    EvaluationError
        If there are too many groups.

    Examples
    --------
    >>> from lupus.evaluation import Binary
    >>> rows = {"clicked": [0, 1, 1, 0], "p": [0.1, 0.8, 0.4, 0.3], "region": ["jp"] * 4}
    >>> print(evaluate(rows, Binary("clicked", "p"), by="region").metrics()[:1])
    rows{region="jp"} 4.0
    """
    labels = labels_of([by] if isinstance(by, str) else by)
    taken = set(labels) & set(RESERVED)
    if taken:
        raise EvaluationError(
            f"label {taken.pop()!r} is taken: name another, by={{'my_label': 'column'}}"
        )
    columns = tuple(labels.values())
    if is_spark(frame):
        from lupus.evaluation.spark import states_of_spark  # noqa: PLC0415  only Spark needs it

        groups = states_of_spark(frame, task, columns, most_groups)
        return Evaluation(task, tuple(labels), groups or _nothing(task, columns))
    read = columns_of(frame, [*columns, *task.columns()])
    groups = {group: task.tally(part) for group, part in groups_of(read, columns, most_groups)}
    return Evaluation(task, tuple(labels), groups)


def _nothing(task: Task, by: Sequence[str]) -> dict[Group, State]:
    """Give the state of no rows, where there are no groups that could be missing."""
    return {} if by else {(): task.tally({name: np.empty(0) for name in task.columns()})}


def _finite(value: Optional[float]) -> Optional[float]:
    return value if value is not None and isfinite(value) else None
