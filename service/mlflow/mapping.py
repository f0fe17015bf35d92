"""Points of runs and versions: their names, labels and times, and what cannot be a point."""

import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from service.mlflow.tracking import Experiment, Run, Value, Version
from storage.errors import InvalidError
from storage.series_key import SeriesKey
from workflows.points_rows import FIRST_MS, LAST_MS, check_limits
from workflows.settings import WorkflowSettings

RunLabel = Literal["none", "id", "name"]
# MLflow's tables have no infinity: they keep the largest double in its place.
_ENDLESS = sys.float_info.max
# MLflow's own, of the machine: many, and nothing of the model.
_OF_THE_MACHINE = "system/"


class Point(NamedTuple):
    """One value of a series of the import's source."""

    metric: str
    labels: Mapping[str, str]
    time_ms: int
    value: float


@dataclass(frozen=True)
class LeftOut:
    """What was no point: how often for each reason, and the first name."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """Count one."""
        self.counts[reason] += 1
        self.first.setdefault(reason, name)


@dataclass(frozen=True)
class Naming:
    """How an import names what it finds; ``metrics`` empty are all but the machine's."""

    source: str
    metrics: tuple[str, ...] = ()
    histories: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    prefix: str = ""
    run_label: RunLabel = "none"
    dataset_label: bool = False
    children: bool = False
    left_out: LeftOut = field(default_factory=LeftOut)

    def has_points(self, run: Run) -> bool:
        """Whether a run's values are wanted; counts it where not."""
        reason = ""
        if run.status in ("FAILED", "KILLED"):
            reason = "a run that failed or was killed"
        elif run.is_child and not self.children:
            reason = "a child run (--children takes them)"
        if reason:
            self.left_out.add(reason, run.name or run.id)
        return not reason

    def of_run(self, experiment: Experiment, run: Run) -> Iterator[Point]:
        """Last values and chosen parameters of a run that ended, at its end."""
        labels = {"experiment": experiment.name}
        if self.run_label != "none":
            labels["run"] = run.id if self.run_label == "id" else run.name
        yield from self._last(run, labels, run.end_ms or 0)

    def of_version(self, version: Version, run: Run) -> Iterator[Point]:
        """Those of the run that made a version, at the version's birth."""
        labels = {"model": version.model, "version": version.number}
        yield from self._last(run, labels, version.created_ms)

    def of_history(self, experiment: Experiment, run: Run, value: Value) -> Iterator[Point]:
        """A logged value, at its own time."""
        name = run.name if self.run_label == "name" else run.id
        labels = {"experiment": experiment.name, "run": name}
        yield from self._point(value.metric, labels, value.dataset, value.time_ms, value.value)

    def has_history(self, metric: str) -> bool:
        """Whether each value of a metric is wanted, not the last alone."""
        return self._wants(metric) and matches(metric, self.histories)

    def _wants(self, metric: str) -> bool:
        if self.metrics:
            return matches(metric, self.metrics)
        return not metric.startswith(_OF_THE_MACHINE)

    def _last(self, run: Run, labels: Mapping[str, str], time_ms: int) -> Iterator[Point]:
        of_version = "version" in labels
        for one in run.values:
            if self._wants(one.metric) and (of_version or not self.has_history(one.metric)):
                dataset = one.dataset or run.dataset
                yield from self._point(one.metric, labels, dataset, time_ms, one.value)
        for name in self.params:
            if name in run.params:
                value = _number(run.params[name])
                yield from self._point(name, labels, run.dataset, time_ms, value)

    def _point(
        self, metric: str, labels: Mapping[str, str], dataset: str, time_ms: int, value: float
    ) -> Iterator[Point]:
        if self.dataset_label:
            labels = {**labels, "dataset": dataset}
        point = Point(self.prefix + metric, labels, time_ms, value)
        if self.is_point(point):
            yield point

    def is_point(self, point: Point) -> bool:
        """Whether Lupus takes it; counts it where not."""
        reason = self._fault(point)
        if reason:
            self.left_out.add(reason, point.metric)
        return not reason

    def _fault(self, point: Point) -> str:
        if math.isnan(point.value):
            return "not a number"
        if abs(point.value) >= _ENDLESS:
            return "infinite"
        if not FIRST_MS <= point.time_ms < LAST_MS:
            return "a time outside 1900 to 2199"
        try:
            key = SeriesKey.of(self.source, point.metric, point.labels)
            check_limits(_LIMITS, key)
        except InvalidError as error:
            return str(error)[:200]
        return ""


_LIMITS = WorkflowSettings()


def matches(name: str, globs: Iterable[str]) -> bool:
    """Whether one of the globs is for this name."""
    return any(fnmatchcase(name, glob) for glob in globs)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
