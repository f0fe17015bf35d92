"""POST of Prometheus' remote-write 1.0: samples that it has scraped or computed become points.

What the answer is decides what a Prometheus does: 204 is stored for good, 5xx (and 429) is sent
again, any other 4xx is dropped there and logged with our words.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from service import measures
from service.api.access import Asking
from service.api.body import StrictRoute
from service.api.errors import MediaTypeError
from service.api.ingest_source import check_ingest_source
from service.api.payload import Payload
from service.api.problems import Problem
from service.api.protobuf import fields, signed, varint
from service.api.resources import Opened, Resources
from service.api.take import take
from service.auth.caller import Caller
from service.errors import TooLargeError
from storage.errors import InvalidError
from storage.series_key import SeriesKey
from workflows.ingest_rejection import RowErrors
from workflows.points_rows import check_limits
from workflows.settings import WorkflowSettings

router = APIRouter(prefix="/v1/sources", tags=["sources"], route_class=StrictRoute)

_MIB = 1 << 20
_MOST_PACKED, _MOST_PLAIN = 16 * _MIB, 128 * _MIB
_NAME = "__name__"
_SCHEMA = pa.schema(
    [
        ("metric", pa.string()),
        ("labels", pa.map_(pa.string(), pa.string())),
        ("time", pa.timestamp("ms", "UTC")),
        ("value", pa.float64()),
    ]
)
_BODY = {
    "required": True,
    "description": "A snappy-packed `prometheus.WriteRequest`, as a Prometheus sends it.",
    "content": {"application/x-protobuf": {"schema": {"type": "string", "format": "binary"}}},
}


@router.post(
    "/{source}/prometheus/write",
    operation_id="postRemoteWrite",
    status_code=204,
    response_class=Response,
    responses={
        400: {"model": Problem, "description": "What could be stored is; these series cannot be."}
    },
    openapi_extra={"requestBody": _BODY},
)
async def remote_write(opened: Opened, caller: Asking, request: Request, source: str) -> Response:
    """Store what a Prometheus writes; they are searchable a moment later."""
    await run_in_threadpool(check_ingest_source, opened, caller, source)
    _check_type(request)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_PACKED:
            raise TooLargeError(f"the request is larger than {_MOST_PACKED // _MIB} MiB")
    await run_in_threadpool(_store, opened, caller, source, bytes(body))
    return Response(status_code=204)


def _check_type(request: Request) -> None:
    media = request.headers.get("content-type", "")
    kind, *parameters = (part.strip().lower() for part in media.split(";"))
    first = parameters in ([], ["proto=prometheus.writerequest"])
    if kind != "application/x-protobuf" or not first:
        raise MediaTypeError(
            f"Content-Type {media or 'is missing'}: allowed is application/x-protobuf, "
            "remote-write 1.0 (protobuf_message: prometheus.WriteRequest)"
        )
    encoding = request.headers.get("content-encoding", "snappy").strip().lower()
    if encoding != "snappy":
        raise MediaTypeError(f"Content-Encoding {encoding}: allowed is snappy")


def _store(opened: Resources, caller: Caller, source: str, body: bytes) -> None:
    written = read_samples(source, body, opened.settings.steps)
    measures.left_out(written.left_out)
    if written.rows:
        opened.settings.scratch_folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="written-", dir=opened.settings.scratch_folder) as folder:
            path = Path(folder) / "payload"
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, _SCHEMA) as stream:
                stream.write_table(written.table())
            payload = Payload(path, False, "", path.stat().st_size, "arrow")
            take(opened, caller, source, payload, None)
    written.errors.check()


@dataclass
class Written:
    """The samples of a request by series and time, and what cannot be stored."""

    errors: RowErrors = field(default_factory=RowErrors)
    left_out: int = 0  # NaN, which marks a series that ended too, and infinite values
    rows: dict[tuple[SeriesKey, int], float] = field(default_factory=dict)

    def table(self) -> pa.Table:
        """In the columns of an upload."""
        columns = [
            [key.metric for key, _ in self.rows],
            [list(key.labels) for key, _ in self.rows],
            [ts for _, ts in self.rows],
            list(self.rows.values()),
        ]
        arrays = [
            pa.array(column, kind) for column, kind in zip(columns, _SCHEMA.types, strict=True)
        ]
        return pa.Table.from_arrays(arrays, schema=_SCHEMA)


def read_samples(source: str, body: bytes, settings: WorkflowSettings) -> Written:
    """Read a request; IngestRejectedError when it is none."""
    written = Written()
    try:
        for number, content in fields(memoryview(_unpacked(body))):
            if number == 1 and isinstance(content, memoryview):
                _read_series(source, content, settings, written)
    except (ValueError, OSError, struct.error, pa.ArrowException) as error:
        errors = RowErrors()
        errors.add([0], "body", f"is no snappy-packed prometheus.WriteRequest: {error}")
        errors.check()
    return written


def _unpacked(body: bytes) -> bytes:
    size, _ = varint(memoryview(body), 0)
    if size > _MOST_PLAIN:
        raise TooLargeError(f"the request is larger than {_MOST_PLAIN // _MIB} MiB unpacked")
    plain: bytes = pa.Codec("snappy").decompress(body, decompressed_size=size, asbytes=True)
    return plain


def _read_series(
    source: str, data: memoryview, settings: WorkflowSettings, written: Written
) -> None:
    labels, samples = dict[str, str](), list[tuple[int, float]]()
    for number, content in fields(data):
        if not isinstance(content, memoryview):
            continue
        if number == 1:
            pair = {key: bytes(text).decode() for key, text in _texts(content)}
            labels[pair.get(1, "")] = pair.get(2, "")
        elif number == 2:
            samples.append(_sample(content))
    finite = [(ts, value) for ts, value in samples if math.isfinite(value)]
    written.left_out += len(samples) - len(finite)
    written.errors.before += 1
    try:
        key = _key(source, labels, settings)
    except InvalidError as error:
        written.errors.add([-1], "series", str(error))
        return
    for ts, value in finite:
        written.rows[key, ts] = value


def _texts(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    return ((number, text) for number, text in fields(data) if isinstance(text, memoryview))


def _sample(data: memoryview) -> tuple[int, float]:
    ts, value = 0, 0.0
    for number, content in fields(data):
        if number == 1 and isinstance(content, memoryview):
            (value,) = struct.unpack("<d", content)
        elif number == 2 and isinstance(content, int):
            ts = signed(content)
    return ts, value


def _key(source: str, labels: Mapping[str, str], settings: WorkflowSettings) -> SeriesKey:
    others = {name: value for name, value in labels.items() if name != _NAME}
    return check_limits(settings, SeriesKey.of(source, labels.get(_NAME, ""), others))
