"""Our side from long-form Parquet to flags: the archive's scan and the judge of a chunk."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.detectors.data import DAY_MS, FIRST_MS
from benchmarks.peers.worker import serve
from detectors import SeasonalESD, Window
from detectors.detector import Detector
from storage.archive import Scan
from storage.connections import Connection
from storage.selector import Selector
from storage.settings import StorageSettings
from storage.source import ExternalMapping, SourceSpec, TimeColumns
from storage.stores import open_archive
from workflows.inputs import blocks
from workflows.readiness import Readiness
from workflows.verdicts import Judge

if TYPE_CHECKING:
    from benchmarks.peers.worker import Facts, Told, Work

EVERYTHING = Selector(("*",), 0, 10**13)
SOURCE = SourceSpec(
    "bench",
    mapping=ExternalMapping(
        "files",
        "points",
        TimeColumns(("ts",), "epoch_ms"),
        metric="value",
        value_column="value",
        label_columns=("series",),
    ),
)
BLOCK_ROWS = 200_000


def _settings(folder: str) -> StorageSettings:
    return StorageSettings(
        archive=(Path(folder) / "archive").as_uri(),
        index=f"sqlite:///{folder}/index.db",
        objects=(Path(folder) / "objects").as_uri(),
        connections=(Connection("files", Path(folder).as_uri()),),
        threads=1,
    )


def read(_: Any, facts: "Facts") -> "tuple[Work, Told]":
    """Read and sort, as a plan does."""
    settings = _settings(facts["folder"])

    def work() -> int:
        archive = open_archive(settings)
        rows = sum(int(batch.num_rows) for batch in archive.scan(SOURCE, EVERYTHING).batches)
        archive.close()
        return rows

    return work, lambda rows: {"rows": rows}


def window(_: Any, facts: "Facts") -> "tuple[Work, Told]":
    return _judged(Window(window=facts["window"], min_points=facts["window"], k=3), facts)


def seasonal_esd(_: Any, facts: "Facts") -> "tuple[Work, Told]":
    detector = SeasonalESD(period=facts["period"], max_anomalies=facts["max_anomalies"])
    return _judged(detector, facts)


def _judged(detector: Detector, facts: "Facts") -> "tuple[Work, Told]":
    settings = _settings(facts["folder"])
    end_ms = FIRST_MS + DAY_MS * facts["points"]
    judge = Judge(detector, FIRST_MS, end_ms, Readiness(detector))

    def work() -> tuple[Scan, list[pa.Table]]:
        archive = open_archive(settings)
        scan = archive.scan(SOURCE, EVERYTHING)
        tables = [judge.judge(block, None)[0] for block in blocks(scan.batches, BLOCK_ROWS)]
        archive.close()
        return scan, tables

    def told(found: tuple[Scan, list[pa.Table]]) -> dict[str, Any]:
        scan, tables = found
        names = [dict(key.labels)["series"] for key in scan.keys]
        rows = pa.concat_tables(tables)
        rows = rows.filter(pc.field("is_anomaly"))
        numbers, times = (rows.column(name).to_pylist() for name in ("number", "ts"))
        flags = [[names[number], time] for number, time in zip(numbers, times, strict=True)]
        return {"flags": sorted(flags)}

    return work, told


if __name__ == "__main__":
    serve({"read": read, "window": window, "seasonal_esd": seasonal_esd})
