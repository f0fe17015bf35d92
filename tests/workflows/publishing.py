"""Real stores with series in them, and runs of the real steps: what publish tests stand on."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage.archive import POINT_SCHEMA
from storage.connections import Connection
from storage.index import Anomaly, AnomalyQuery
from storage.series_key import SeriesKey
from storage.source import SourceSpec
from storage.stores import Stores, open_stores
from tests.workflows.world import storage_settings
from workflows.chunk import read_plan
from workflows.context import StepContext, write_request
from workflows.detect import detect
from workflows.plan import plan
from workflows.publish import publish
from workflows.report import Change, Report, read_changes
from workflows.request import RunRequest
from workflows.settings import WorkflowSettings

DAY = 86_400_000
START = 20_000 * DAY  # 2024-10-04
SOURCE = "job.rank"
THRESHOLD = {"type": "threshold", "upper": 10.0}

Points = Mapping[tuple[SeriesKey, int], float | None]


def key(name: str, **labels: str) -> SeriesKey:
    return SeriesKey.of(SOURCE, name, labels)


def flat(series: SeriesKey, days: int, value: float = 1.0) -> dict[tuple[SeriesKey, int], float]:
    return {(series, START + day * DAY): value for day in range(days)}


@dataclass
class House:
    """Stores and steps; every write of points gets the next sequence."""

    context: StepContext
    stores: Stores
    sequences: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    runs: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def put(self, points: Points) -> None:
        sequence = next(self.sequences)
        rows = [
            {
                "metric": series.metric,
                "labels": list(series.labels),
                "ts": ts_ms,
                "value": value,
                "sequence": sequence,
            }
            for (series, ts_ms), value in points.items()
        ]
        table = pa.Table.from_pylist(rows, schema=POINT_SCHEMA)
        self.stores.archive.write_points(SOURCE, f"ingest-{sequence}", table)

    def request(self, end_day: int, **changes: Any) -> RunRequest:
        generation = next(self.runs)
        asked: dict[str, Any] = {
            "run": f"run-{generation}",
            "generation": generation,
            "source": SourceSpec(SOURCE),
            "metrics": ("*",),
            "start_ms": START,
            "end_ms": START + end_day * DAY,
            "detector": THRESHOLD,
            "accepted_ms": START + end_day * DAY,
            "deadline_ms": START + (end_day + 1) * DAY,
            "rule": "daily",
        }
        return RunRequest(**(asked | changes))

    def judge(self, request: RunRequest, leave_out: Sequence[int] = ()) -> None:
        """Plan and detect, without the chunks left out."""
        write_request(self.stores.objects, request)
        made = plan(self.context, request.run)
        for chunk in made.chunks:
            if chunk.number not in leave_out:
                detect(self.context, request.run, chunk.number)

    def run(self, end_day: int, leave_out: Sequence[int] = (), **changes: Any) -> Report:
        request = self.request(end_day, **changes)
        self.judge(request, leave_out)
        return publish(self.context, request.run)

    def changes(self, report: Report) -> list[Change]:
        return list(read_changes(self.stores.objects, report))

    def anomalies(self, **query: Any) -> dict[tuple[str, int], Anomaly]:
        """Documents by written series and day."""
        page = self.stores.index.search_anomalies(AnomalyQuery(**query), 10_000)
        return {
            (written(anomaly), (anomaly.ts_ms - START) // DAY): anomaly for anomaly in page.items
        }

    def found(self) -> set[tuple[str, int]]:
        return set(self.anomalies(status="found"))

    def chunks(self, run: str) -> int:
        found = read_plan(self.stores.objects, run)
        assert found is not None
        return len(found[0].chunks)


def written(anomaly: Anomaly) -> str:
    return str(SeriesKey.of(anomaly.source, anomaly.metric, anomaly.labels))


def document(anomaly: Anomaly, *beside: str) -> dict[str, Any]:
    """What two equal runs must agree on."""
    skipped = {"run", "generation", "written_at_ms", *beside}
    return {name: value for name, value in asdict(anomaly).items() if name not in skipped}


@contextmanager
def house_at(folder: Path, **settings: Any) -> Iterator[House]:
    storage = replace(
        storage_settings(folder),
        connections=(Connection("warehouse", f"file://{folder}/warehouse"),),
    )
    with open_stores(storage) as stores:
        yield house_on(stores, folder, **settings)


def house_on(stores: Stores, folder: Path, **settings: Any) -> House:
    """The real steps over opened stores."""
    clock = itertools.count(START)
    context = StepContext(
        objects=stores.objects,
        settings=WorkflowSettings(processes=1, **settings),
        now_ms=lambda: next(clock),
        stores=stores,
        scratch=folder / "scratch",
    )
    return House(context, stores)


# Every series is a chunk of its own.
SMALL_CHUNKS = {"group_points": 1, "chunk_seconds": 1e-12}
