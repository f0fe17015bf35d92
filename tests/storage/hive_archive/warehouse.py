"""A database of its own on a real server, over Parquet files that the test writes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.store import LocalStore, ObjectStore, S3Store

from storage.hive.connection import HiveConnection
from storage.hive.options import HiveOptions, hive_options
from storage.secret import Secret
from storage.settings import S3Settings
from tests.real import own_name, server

Engine = Literal["hive", "spark"]
VARIABLES = {"hive": "LUPUS_TEST_HIVE_URL", "spark": "LUPUS_TEST_SPARK_URL"}

_TYPES: tuple[tuple[Any, str], ...] = (
    (pa.types.is_string, "string"),
    (pa.types.is_int8, "tinyint"),
    (pa.types.is_int16, "smallint"),
    (pa.types.is_int32, "int"),
    (pa.types.is_int64, "bigint"),
    (pa.types.is_float32, "float"),
    (pa.types.is_float64, "double"),
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_date32, "date"),
    (pa.types.is_timestamp, "timestamp"),
)


class RecordingConnection(HiveConnection):
    """Remembers every statement."""

    def __init__(self, name: str, options: HiveOptions) -> None:
        super().__init__(name, options)
        self.statements: list[str] = []

    def execute(self, sql: str, deadline_seconds: float | None = None) -> None:
        self.statements.append(sql)
        super().execute(sql, deadline_seconds)

    def table(self, sql: str, deadline_seconds: float | None = None) -> pa.Table:
        self.statements.append(sql)
        return super().table(sql, deadline_seconds)

    def stream(self, sql: str, deadline_seconds: float | None = None) -> Iterator[pa.RecordBatch]:
        self.statements.append(sql)
        return super().stream(sql, deadline_seconds)


class Warehouse:
    """Tables of one database, and the place of their files as Lupus and as the server name it."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.database = own_name("lupus_")
        self.address = server(VARIABLES[engine]).rsplit("/", 1)[0]
        if engine == "hive":
            self.s3, bucket = bucket_of_test()
            self.location = f"s3://{bucket}/{self.database}"
            self.seen = f"s3a://{bucket}/{self.database}"
            self.store: ObjectStore = S3Store(
                bucket, prefix=self.database, config={
                    "endpoint": self.s3.endpoint, "region": self.s3.region,
                    "access_key_id": self.s3.access_key_id,
                    "secret_access_key": self.s3.secret_access_key.read(),
                    "virtual_hosted_style_request": False,
                }, client_options={"allow_http": True},
            )  # fmt: skip
        else:
            self.s3 = S3Settings()
            self.location = self.seen = f"file://{folder}/{self.database}"
            self.store = LocalStore(folder / self.database, mkdir=True)
        self._owner = HiveConnection("owner", replace(self.options(), database="default"))
        self._owner.execute(f"CREATE DATABASE {self.database}")
        self.connection = RecordingConnection("warehouse", self.options())

    @property
    def url(self) -> str:
        """The server and this database."""
        return f"{self.address}/{self.database}"

    def options(self, **words: Any) -> HiveOptions:
        """How a named connection would ask here."""
        words = {"tables": ["*.*"], "dialect": self.engine, "deadline_seconds": 300} | words
        options = hive_options("warehouse", f"{self.address}/default", words)
        return replace(options, database=self.database)

    def put(self, name: str, rows: pa.Table | bytes) -> None:
        """A file below the database's folder."""
        data = rows if isinstance(rows, bytes) else _parquet(rows)
        obstore.put(self.store, name, data)

    def create(self, table: str, rows: pa.Table, partitions: Sequence[str] = ()) -> None:
        """An external table over the files below a folder of its name."""
        columns = ", ".join(f"`{f.name}` {hive_type(f.type)}" for f in rows.schema)
        by = ", ".join(f"`{each.split()[0]}` {each.split()[1]}" for each in partitions)
        self._owner.execute(
            f"CREATE EXTERNAL TABLE {self.database}.`{table}` ({columns}) "
            + (f"PARTITIONED BY ({by}) " if by else "")
            + f"STORED AS PARQUET LOCATION '{self.seen}/{table}'"
        )

    def partition(self, table: str, *specs: Mapping[str, object]) -> None:
        """Make partitions known; their folders spell them as Hive does."""
        parts = " ".join(
            "PARTITION (" + ", ".join(f"`{k}` = '{v}'" for k, v in spec.items()) + ")"
            for spec in specs
        )
        self._owner.execute(f"ALTER TABLE {self.database}.`{table}` ADD IF NOT EXISTS {parts}")

    def drop(self) -> None:
        """Forget the database and its files."""
        self._owner.execute(f"DROP DATABASE IF EXISTS {self.database} CASCADE")
        self._owner.close()
        self.connection.close()
        for batch in obstore.list(self.store):
            obstore.delete(self.store, [each["path"] for each in batch])


def bucket_of_test() -> tuple[S3Settings, str]:
    """The test's S3 server and its bucket."""
    parts = urlsplit(server("LUPUS_TEST_S3_URL"))
    settings = S3Settings(
        endpoint=f"{parts.scheme}://{parts.hostname}:{parts.port}",
        access_key_id=parts.username or "",
        secret_access_key=Secret(parts.password or ""),
    )
    return settings, parts.path.strip("/")


@contextmanager
def warehouse(engine: str, folder: Path) -> Iterator[Warehouse]:
    """A warehouse that is removed at the end."""
    opened = Warehouse(cast("Engine", engine), folder)
    try:
        yield opened
    finally:
        opened.drop()


def hive_type(type_: pa.DataType) -> str:
    """The server's name of a column's type."""
    return next(name for test, name in _TYPES if test(type_))


def _parquet(rows: pa.Table) -> bytes:
    sink = BytesIO()
    pq.write_table(rows, sink)
    return sink.getvalue()
