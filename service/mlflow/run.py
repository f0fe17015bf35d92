"""One import: every chosen experiment, then every chosen model, from where the last one came to."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from service.clock import DAY_MS
from service.mlflow.lupus import Lupus, instant, milliseconds
from service.mlflow.mapping import Naming, Point, matches
from service.mlflow.parts import MOST_POINTS, Days, Parts, floor_day
from service.mlflow.tracking import Experiment, Model, Run, Tracking, Version
from workflows.points_rows import FIRST_MS

RUNS, VERSIONS = "mlflow.runs", "mlflow.versions"
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Wanted:
    """What is imported; ``since_ms`` reads again what was imported before."""

    naming: Naming
    now_ms: int
    experiments: tuple[str, ...] = ("*",)
    models: tuple[str, ...] = ("*",)
    since_ms: int | None = None
    overlap_ms: int = DAY_MS
    part_points: int = MOST_POINTS


@dataclass
class Done:
    """How much there was."""

    runs: int = 0
    versions: int = 0
    releases: int = 0


class Import:
    """Reads one server into one source; ``released`` are the sources that hear of versions."""

    def __init__(
        self, tracking: Tracking, lupus: Lupus, released: Iterable[Lupus], wanted: Wanted
    ) -> None:
        self._tracking = tracking
        self._lupus = lupus
        self._released = tuple(released)
        self._wanted = wanted
        self._naming = wanted.naming
        self.done = Done()

    def run(self) -> Done:
        """Import everything that is chosen."""
        self._experiments()
        self._models()
        return self.done

    def _experiments(self) -> None:
        there = [
            one
            for one in self._tracking.experiments()
            if matches(one.name, self._wanted.experiments)
        ]
        known = _first_names(self._lupus.series(RUNS, {}))
        for found in there:
            name, last_ms = known.get(found.id, (found.name, None))
            # A renamed one goes on under its first name: its series would break otherwise.
            experiment = Experiment(found.id, name)
            self._ended(experiment, self._since(last_ms))
            if self._naming.histories:
                for run in self._tracking.going_on(experiment.id):
                    if self._naming.has_points(run):
                        self._histories(experiment, run)

    def _ended(self, experiment: Experiment, since_ms: int) -> None:
        labels = {"experiment": experiment.name, "experiment_id": experiment.id}
        days = self._days(RUNS, labels)
        for run in self._tracking.ended(experiment.id, since_ms):
            points: Iterable[Point] = ()
            if self._naming.has_points(run):
                self._histories(experiment, run)
                points = self._naming.of_run(experiment, run)
            days.add(run.end_ms or 0, points)
            self.done.runs += 1
        days.close()

    def _histories(self, experiment: Experiment, run: Run) -> None:
        # Which value a run shows as its last is decided by step, not by time: it cannot say whether
        # there are new ones, so the whole history is read.
        for metric in sorted({one.metric for one in run.values}):
            if not self._naming.has_history(metric):
                continue
            since_ms = self._history_since(experiment, run, metric)
            parts = self._parts()
            for value in self._tracking.history(run.id, metric):
                if value.time_ms >= since_ms:
                    parts.add(self._naming.of_history(experiment, run, value))
            parts.send()

    def _history_since(self, experiment: Experiment, run: Run, metric: str) -> int:
        if self._wanted.since_ms is not None:
            return self._wanted.since_ms
        label = run.name if self._naming.run_label == "name" else run.id
        labels = {"experiment": experiment.name, "run": label}
        stored = self._lupus.series(self._naming.prefix + metric, labels)
        last_ms = max((milliseconds(one["last"]) for one in stored), default=None)
        # A value of the future hides where the others end.
        if last_ms is None or last_ms > self._wanted.now_ms:
            return FIRST_MS
        return last_ms - self._wanted.overlap_ms

    def _models(self) -> None:
        known = {
            one["labels"].get("model"): milliseconds(one["last"])
            for one in self._lupus.series(VERSIONS, {})
        }
        for model in self._tracking.models():
            if matches(model.name, self._wanted.models):
                self._versions(model, self._since(known.get(model.name)))

    def _versions(self, model: Model, since_ms: int) -> None:
        if 0 < model.updated_ms < since_ms:
            return
        found = [one for one in self._tracking.versions(model.name) if one.created_ms >= since_ms]
        days = self._days(VERSIONS, {"model": model.name})
        for version in found:
            days.add(version.created_ms, self._of_version(version))
            self.done.versions += 1
        days.close()
        for version in found:
            self._release(version)

    def _of_version(self, version: Version) -> Iterator[Point]:
        run = self._tracking.run(version.run) if version.run else None
        if run is None:
            self._naming.left_out.add("a version without a run", version.model)
            return
        yield from self._naming.of_version(version, run)

    def _release(self, version: Version) -> None:
        name = f"{version.model} {version.number}"
        event = {
            "name": name,
            "time": instant(version.created_ms),
            "labels": {"model": [version.model]},
            "link": f"{self._tracking.url}/#/models/{quote(version.model)}"
            f"/versions/{quote(version.number)}",
        }
        if len(name) > _LONGEST_NAME or not name.isprintable() or name.startswith("!"):
            self._naming.left_out.add("a name that no release can have", name)
            return
        self.done.releases += sum(lupus.release(event) for lupus in self._released)

    def _days(self, metric: str, labels: Mapping[str, str]) -> Days:
        def count_of(day_ms: int, count: int) -> Iterator[Point]:
            point = Point(metric, labels, day_ms, count)
            if day_ms > self._wanted.now_ms:  # later imports would begin there
                self._naming.left_out.add("a day that has not begun", metric)
            elif self._naming.is_point(point):
                yield point

        return Days(self._parts(), count_of)

    def _parts(self) -> Parts:
        return Parts(self._lupus, self._naming.left_out, self._wanted.part_points)

    def _since(self, last_ms: int | None) -> int:
        if self._wanted.since_ms is not None:
            return floor_day(self._wanted.since_ms)
        return 0 if last_ms is None else floor_day(last_ms - self._wanted.overlap_ms)


def _first_names(series: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, int]]:
    """Name and last day of each experiment's id, under the name that came first."""
    found: dict[str, tuple[str, int]] = {}
    for one in sorted(series, key=lambda one: str(one["first"])):
        name, id_ = one["labels"].get("experiment"), one["labels"].get("experiment_id")
        if name and id_ and id_ not in found:
            found[id_] = (name, milliseconds(one["last"]))
    return found
