"""Imports a file of points: as it is, or with its own columns taken for time, value and labels."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from service.accept_ingest import accept_ingest, new_payload, text_bytes
from service.api.payload import FORMATS
from service.api.resources import Resources
from service.app import open_resources
from service.cli.client import Client, open_client
from service.cli.exits import FAILED, USAGE, EndedError
from service.cli.who import person
from service.clock import DAY_MS
from service.database.audit import record_change
from service.database.ingests import Ingest
from service.database.sources import get_source, put_source
from service.ingest_now import ingest_now
from service.settings import load_settings
from service.tryout.errors import TryError
from service.tryout.read import read_table
from storage.errors import InvalidError
from storage.series_key import check_source
from workflows.request import PointsFormat

_ENDINGS: dict[str, PointsFormat] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "json",
    ".arrow": "arrow",
    ".arrows": "arrow",
}


@dataclass(frozen=True)
class Import:
    """What the command line said."""

    file: str
    source: str
    time: str | None = None
    values: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    create: bool = False


@dataclass(frozen=True)
class _Prepared:
    path: Path
    format: PointsFormat
    gzip: bool


def into_service(wanted: Import, url: str) -> dict[str, Any]:
    """Send the points to a service, and wait until they are stored."""
    with _prepared(wanted) as ready, open_client(url) as client:
        if wanted.create:
            _create_there(client, wanted.source)
        media = next(media for media, format_ in FORMATS.items() if format_ == ready.format)
        headers = {"Content-Type": media} | ({"Content-Encoding": "gzip"} if ready.gzip else {})
        with ready.path.open("rb") as body:
            ingest = client.call(
                "POST", f"/v1/sources/{wanted.source}/points", content=body, headers=headers
            )
    return _awaited(url, ingest)


def _create_there(client: Client, source: str) -> None:
    try:
        client.call("GET", f"/v1/sources/{source}")
    except EndedError:
        client.call("PUT", f"/v1/sources/{source}", json={"kind": "managed"})


def _awaited(url: str, ingest: dict[str, Any]) -> dict[str, Any]:
    with open_client(url) as client:
        while ingest["state"] not in ("succeeded", "failed"):
            ingest = client.call("GET", f"/v1/ingests/{ingest['id']}", params={"wait": "20s"})
    if ingest["state"] == "failed":
        raise EndedError(USAGE, ingest["error"])
    return ingest


def into_stores(wanted: Import) -> dict[str, Any]:
    """Store the points in the data folder of the settings, in this process."""
    with _prepared(wanted) as ready, open_resources(load_settings()) as resources:
        now_ms = resources.clock.now_ms()
        _source_here(resources, wanted, now_ms)
        text = text_bytes(ready.format, ready.path.stat().st_size, packed=ready.gzip)
        staged = replace(new_payload(now_ms, ready.format, ready.gzip), text_bytes=text)
        resources.stores.objects.put_file(staged.name, ready.path)
        accepted = accept_ingest(resources.database, wanted.source, staged, person(), now_ms)
        ended = _stored(resources, accepted.ingest)
    if ended.state != "succeeded":
        raise EndedError(USAGE if ended.state == "failed" else FAILED, ended.error)
    return {"id": ended.id, "source": ended.source, "state": ended.state, "points": ended.points}


def _source_here(resources: Resources, wanted: Import, now_ms: int) -> None:
    try:
        check_source(wanted.source)
    except InvalidError as error:
        raise EndedError(USAGE, f"--{error}") from None
    with resources.database.write() as tx:
        if get_source(tx, wanted.source) is None and wanted.create:
            put_source(tx, wanted.source, "managed", "UTC", {"kind": "managed"}, now_ms)
            detail = {"by": "first points"}
            record_change(tx, now_ms, person(), "source.put", wanted.source, detail)


def _stored(resources: Resources, ingest: Ingest) -> Ingest:
    """The ingest when it is over: done here, or by a service on the same folder."""
    return ingest_now(
        resources.database,
        resources.stores,
        resources.settings.steps,
        ingest.id,
        resources.clock,
        patience_ms=DAY_MS,
    )


@contextmanager
def _prepared(wanted: Import) -> Iterator[_Prepared]:
    path = Path(wanted.file)
    if not path.is_file():
        raise EndedError(USAGE, f"{wanted.file}: there is no such file")
    if not (wanted.time or wanted.values or wanted.by):
        zipped = path.suffix.lower() == ".gz"
        ending = Path(path.stem).suffix if zipped else path.suffix
        if ending.lower() not in _ENDINGS:
            raise EndedError(
                USAGE, f"{wanted.file}: allowed endings are {' '.join(_ENDINGS)}, with .gz or not"
            )
        yield _Prepared(path, _ENDINGS[ending.lower()], zipped)
        return
    try:
        table = read_table(wanted.file)
    except TryError as error:
        raise EndedError(USAGE, str(error)) from None
    with tempfile.TemporaryDirectory(prefix="lupus-import-") as folder:
        made = Path(folder) / "points.parquet"
        pq.write_table(as_points(table, wanted.time, wanted.values, wanted.by), made)
        yield _Prepared(made, "parquet", False)


def as_points(
    table: pa.Table, time: str | None, values: tuple[str, ...], by: tuple[str, ...]
) -> pa.Table:
    """Rows of one point each: every value column becomes a metric of its name."""
    time, values = time or "time", values or ("value",)
    for name in (time, *values, *by):
        if name not in table.column_names:
            raise EndedError(
                USAGE, f"there is no column {name!r}; there are {', '.join(table.column_names)}"
            )
    keeps_metric = "metric" in table.column_names and values == ("value",)
    parts = []
    for value in values:
        metric = (
            table.column("metric")
            if keeps_metric
            else pa.chunked_array([pa.repeat(value, table.num_rows)])
        )
        columns = {"metric": metric, "time": table.column(time), "value": table.column(value)}
        parts.append(pa.table({**columns, **{name: table.column(name) for name in by}}))
    points = pa.concat_tables(parts, promote_options="permissive")
    return points.filter(pa.compute.is_valid(points.column("value")))
