"""load=insert: the server itself writes its tables, from Parquet that Lupus stages.

The tables have a third partition column ``job``: an overwriting insert touches (source, dt, job)
and nothing else, so a job repeated overwrites itself. No transactional tables are needed.
"""

# ruff: noqa: S608 - names are our own or checked, values escaped

import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from storage.hive.catalog import TableName, quoted, show_partitions
from storage.hive.connection import HiveConnection
from storage.hive.ddl import SCHEMAS, columns_of, drop_partitions, table_of
from storage.hive.leftovers import FOLDER, momentary_name
from storage.objects import Objects
from storage.parquet.compaction import GRACE_SECONDS, MOST_FILES
from storage.parquet.layout import COMPACTED, KINDS, Kind, day_text
from storage.parquet.write import Days, document_days, point_days, result_days
from storage.translation import system_errors

_RECORDS = "compacted"
# What makes two rows the same, and which of them is the newest.
_SAME: Mapping[Kind, tuple[str, str]] = {
    "points": ("`series`, `ts`", "`sequence`"),
    "results": ("`rule`, `series`, `ts`, `generation`", "`run`"),
    "documents": ("`kind`, `key`, `generation`", "`run`"),
}
_SORTED: Mapping[Kind, str] = {
    "points": "`metric`, `series`, `ts`",
    "results": "`rule`, `series`, `ts`",
    "documents": "`kind`, `key`, `generation`",
}
_ROWS_PER_GROUP = 131_072


class InsertLoading:
    """Stages files at a place that the server sees, and has it insert them."""

    def __init__(
        self, connection: HiveConnection, staging: Objects, seen: str, scratch: Path | None
    ) -> None:
        self._connection = connection
        self._staging = staging
        self._seen = seen
        self._scratch = scratch

    def write(self, kind: Kind, source: str, job: str, rows: pa.Table) -> None:
        """Stage a job's rows and insert them; nothing of the staging stays."""
        days = _days(kind, source, rows)
        if self._scratch is not None:
            with system_errors(f"scratch folder {self._scratch}"):
                self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            file = Path(folder) / "rows.parquet"
            if _write_file(file, SCHEMAS[kind], days):
                with self._staged(kind, file) as stage:
                    self._insert(kind, source, job, stage)

    def compact(self, source: str) -> int:
        """Fold days of too many jobs: the merged one first, the old ones go after a long time."""
        return sum(self._compact(kind, source) for kind in KINDS)

    def purge(self, source: str) -> None:
        """Forget the partitions; the server removes their files."""
        for kind in KINDS:
            drop_partitions(self._connection, self._table(kind), {"source": source})
            self._staging.delete_prefix(f"{_RECORDS}/{kind}/{source}/")

    def close(self) -> None:
        """End the sessions."""
        self._connection.close()

    def _table(self, kind: Kind) -> TableName:
        return table_of(self._connection.options.database, kind)

    @contextmanager
    def _staged(self, kind: Kind, file: Path) -> Iterator[TableName]:
        """A table over one staged file, gone afterwards."""
        nonce = momentary_name()
        stage = TableName(self._connection.options.database, f"lupus_stage_{nonce}")
        folder = f"{FOLDER}/{nonce}"
        try:
            self._staging.put_file(f"{folder}/rows.parquet", file)
            self._connection.execute(
                f"CREATE EXTERNAL TABLE {stage.quoted} ({columns_of(kind)}, `day` string) "
                f"STORED AS PARQUET LOCATION {quoted(f'{self._seen}/{folder}')} "
                "TBLPROPERTIES ('external.table.purge'='false')"
            )
            yield stage
        finally:
            self._connection.execute(f"DROP TABLE IF EXISTS {stage.quoted}")
            self._staging.delete_prefix(f"{folder}/")

    def _insert(self, kind: Kind, source: str, job: str, stage: TableName) -> None:
        columns = ", ".join(f"`{column}`" for column in SCHEMAS[kind].names)
        self._connection.execute(
            f"INSERT OVERWRITE TABLE {self._table(kind).quoted} "
            f"PARTITION (`source` = {quoted(source)}, `dt`, `job`) "
            f"SELECT {columns}, `day`, {quoted(job)} FROM {stage.quoted} "
            f"DISTRIBUTE BY `day` SORT BY `day`, {_SORTED[kind]}"
        )

    def _compact(self, kind: Kind, source: str) -> int:
        table = self._table(kind)
        jobs: dict[str, set[str]] = defaultdict(set)
        for partition in show_partitions(self._connection, table, {"source": source}):
            jobs[partition["dt"]].add(partition["job"])
        folded = 0
        for day, present in jobs.items():
            covered = self._remove_old(kind, source, day, present)
            live = sorted(present - covered)
            if len(live) > MOST_FILES:
                self._merge(kind, source, day, live)
                folded += len(live)
        return folded

    def _merge(self, kind: Kind, source: str, day: str, jobs: Sequence[str]) -> None:
        now_ms = time.time_ns() // 1_000_000
        merged = f"{COMPACTED}{now_ms}-{os.urandom(4).hex()}"
        columns = ", ".join(f"`{column}`" for column in SCHEMAS[kind].names)
        same, newest = _SAME[kind]
        listed = ", ".join(quoted(job) for job in jobs)
        table = self._table(kind).quoted
        where = f"`source` = {quoted(source)} AND `dt` = {quoted(day)} AND `job` IN ({listed})"
        self._connection.execute(
            f"INSERT OVERWRITE TABLE {table} PARTITION (`source` = {quoted(source)}, "
            f"`dt` = {quoted(day)}, `job` = {quoted(merged)}) "
            f"SELECT {columns} FROM (SELECT t.*, ROW_NUMBER() OVER (PARTITION BY {same} "
            f"ORDER BY {newest} DESC) AS `place` FROM {table} t WHERE {where}) p "
            f"WHERE `place` = 1 SORT BY {_SORTED[kind]}"
        )
        # Without its record the merged job is one more job, and its rows are resolved as doubles.
        record = json.dumps({"at_ms": now_ms, "jobs": list(jobs)}).encode()
        self._staging.put(f"{_RECORDS}/{kind}/{source}/{day}/{merged}.json", record)

    def _remove_old(self, kind: Kind, source: str, day: str, present: set[str]) -> set[str]:
        """The jobs that a merged one has; those merged long ago are dropped."""
        covered: set[str] = set()
        old_ms = (time.time() - GRACE_SECONDS) * 1000
        for name in list(self._staging.names(f"{_RECORDS}/{kind}/{source}/{day}/")):
            record = json.loads(self._staging.get(name))
            there = present.intersection(record["jobs"])
            if record["at_ms"] < old_ms:
                drop_partitions(
                    self._connection,
                    self._table(kind),
                    *({"source": source, "dt": day, "job": job} for job in sorted(there)),
                )
                self._staging.delete_prefix(name)
                present -= there
            else:
                covered |= there
        return covered


def _days(kind: Kind, source: str, rows: pa.Table) -> Days:
    if kind == "points":
        return point_days(source, rows)
    return result_days(rows) if kind == "results" else document_days(rows)


def _write_file(file: Path, schema: pa.Schema, days: Days) -> bool:
    """Write all days into one file with a column ``day``; False when there is no row."""
    written = False
    full = schema.append(pa.field("day", pa.string()))
    with pq.ParquetWriter(file, full, compression="zstd") as writer:
        for day, rows in days:
            column = pa.repeat(day_text(day), rows.num_rows)
            writer.write_table(rows.append_column("day", column), row_group_size=_ROWS_PER_GROUP)
            written = True
    return written
