"""Bodies of points: spooled to a file as they arrive, counted, hashed, never whole in memory."""

import gzip
import hashlib
import tempfile
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pyarrow as pa
from fastapi import Request
from starlette.concurrency import run_in_threadpool

from service.api.errors import MediaTypeError
from service.errors import TooLargeError
from workflows.request import PointsFormat

FORMATS: dict[str, PointsFormat] = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/vnd.apache.arrow.stream": "arrow",
}
_PIECE_BYTES = 1024 * 1024
# A point is rarely shorter than this in any format, so a larger file is not worth counting.
_BYTES_PER_POINT = 2048


@dataclass(frozen=True)
class Spooled:
    """A body in a file. The hash is over what was meant, so packing does not change it."""

    path: Path
    zipped: bool
    sha256: str
    plain_bytes: int


@dataclass(frozen=True)
class Payload(Spooled):
    """A body of points in a format that an ingest reads."""

    format: PointsFormat


class _Spool:
    """Writes a body as it came and follows it decompressed, a bounded piece at a time."""

    def __init__(self, path: Path, zipped: bool, limit_bytes: int) -> None:
        self._file = path.open("wb")
        self._unpacker = zlib.decompressobj(wbits=31) if zipped else None
        self._hash = hashlib.sha256()
        self._limit = limit_bytes
        self._came = 0
        self.plain_bytes = 0

    def write(self, piece: bytes) -> None:
        self._came += len(piece)
        self._refuse_above(self._came)
        self._file.write(piece)
        if self._unpacker is None:
            self._count(piece)
        else:
            self._unpack(piece)

    def _unpack(self, piece: bytes) -> None:
        while self._unpacker is not None:
            if self._unpacker.eof and piece:  # gzip files may be joined
                self._unpacker = zlib.decompressobj(wbits=31)
            try:
                plain = self._unpacker.decompress(piece, _PIECE_BYTES)
            except zlib.error:
                raise MediaTypeError(
                    "Content-Encoding says gzip, but the body is not gzip"
                ) from None
            self._count(plain)
            piece = self._unpacker.unconsumed_tail or self._unpacker.unused_data
            if not piece and len(plain) < _PIECE_BYTES:
                return

    def finish(self) -> str:
        if self._unpacker is not None and not self._unpacker.eof:
            raise MediaTypeError("the gzip body ends too early: send it whole")
        self._file.close()
        return self._hash.hexdigest()

    def close(self) -> None:
        self._file.close()

    def _count(self, plain: bytes) -> None:
        self.plain_bytes += len(plain)
        self._refuse_above(self.plain_bytes)
        self._hash.update(plain)

    def _refuse_above(self, size: int) -> None:
        if size > self._limit:
            raise TooLargeError(
                f"the body is larger than {self._limit // 1024 // 1024} MiB after decompression: "
                "send it in several requests (LUPUS_MAX_BODY_MB)"
            )


@asynccontextmanager
async def points_spooled(
    request: Request, folder: Path, limit_bytes: int
) -> AsyncIterator[Payload]:
    """The request's points as a file that is gone afterwards."""
    format_ = _format(request.headers.get("content-type"))
    async with spooled(request, folder, limit_bytes) as body:
        yield Payload(**vars(body), format=format_)


@asynccontextmanager
async def spooled(request: Request, folder: Path, limit_bytes: int) -> AsyncIterator[Spooled]:
    """The request's body, of whatever type, as a file that is gone afterwards."""
    zipped = _zipped(request.headers.get("content-encoding"))
    await run_in_threadpool(folder.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="points-", dir=folder) as place:
        path = Path(place) / "payload"
        spool = _Spool(path, zipped, limit_bytes)
        try:
            async for piece in _pieces(request):
                await run_in_threadpool(spool.write, piece)
            digest = spool.finish()
        finally:
            spool.close()
        yield Spooled(path, zipped, digest, spool.plain_bytes)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces large enough to be worth a thread."""
    piece = bytearray()
    async for part in request.stream():
        piece += part
        if len(piece) >= _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def _format(content_type: str | None) -> PointsFormat:
    message = Message()
    message["content-type"] = content_type or "missing/missing"
    found = FORMATS.get(message.get_content_type())
    if found is None:
        raise MediaTypeError(
            f"Content-Type {content_type or 'is missing'}: allowed are {', '.join(FORMATS)}"
        )
    return found


def _zipped(content_encoding: str | None) -> bool:
    encoding = (content_encoding or "identity").strip().lower()
    if encoding not in ("gzip", "x-gzip", "identity"):
        raise MediaTypeError(f"Content-Encoding {encoding}: allowed are gzip and identity")
    return encoding.endswith("gzip")


def small(payload: Payload, most_points: int) -> bool:
    """Whether the payload has so few points that they can be stored while the caller waits.

    A body that cannot be read counts as small: then the caller hears at once what is wrong.
    """
    if payload.plain_bytes > most_points * _BYTES_PER_POINT:
        return False
    try:
        return _count(payload) <= most_points
    except (ValueError, OSError, pa.ArrowException):
        return True


def _count(payload: Payload) -> int:
    data = payload.path.read_bytes()
    if payload.zipped:
        data = gzip.decompress(data)
    if payload.format == "json":
        return data.count(b'"time"')  # each point has it, and whoever stores them reads them
    if payload.format == "parquet":
        import pyarrow.parquet as pq  # noqa: PLC0415 - costs 50 ms and few bodies are Parquet

        return int(pq.read_metadata(pa.BufferReader(data)).num_rows)
    if payload.format == "arrow":
        return sum(batch.num_rows for batch in pa.ipc.open_stream(data))
    return data.count(b"\n")
