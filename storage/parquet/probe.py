"""Shows what a mapping means before anybody relies on it."""

from dataclasses import replace
from pathlib import Path

from storage.archive import SourceProbe
from storage.errors import InvalidError
from storage.observed import observe
from storage.parquet import external
from storage.parquet.engine import Engine
from storage.selector import EVERYTHING
from storage.source import SourceSpec

PARTITIONS_READ = 3


def probe(engine: Engine, root: Path, source: SourceSpec) -> SourceProbe:
    """Check a mapping; read its newest partitions, or all of a table without partitions."""
    if source.mapping is None:
        raise InvalidError(f"source {source.name}: is managed, there is no table to probe")
    table = external.open_table(engine, root, source, EVERYTHING)
    partitions = sorted({file.written for file in table.files if file.partition})
    newest = set(partitions[-PARTITIONS_READ:])
    recent = tuple(file for file in table.files if file.written in newest or not partitions)
    scan = external.scan_table(engine, replace(table, files=recent), EVERYTHING)
    seen = observe(scan, source.mapping)
    return SourceProbe(
        sql=table.query(EVERYTHING).sql(dialect="duckdb", pretty=True),
        partitions=tuple(partitions),
        points=seen.points,
        series=len(scan.keys),
        steps_ms=seen.steps_ms,
    )
