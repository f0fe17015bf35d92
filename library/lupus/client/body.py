"""Points as bytes: JSON where people may look at them, Parquet or lines where there are many."""

import gzip
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

from lupus.client.points import Key, Points

FEW_POINTS = 10_000  # more are stored after the answer, whatever their format
_WORTH_PACKING_BYTES = 1024
_FAST = 4  # a level of gzip: 6 takes twice the time for a tenth of the size


@dataclass(frozen=True)
class Body:
    """What is sent, and the hash of what is meant: packing does not change it."""

    content: bytes
    media_type: str
    gzip: bool
    sha256: str

    @property
    def headers(self) -> dict[str, str]:
        """Headers that describe the content."""
        packed = {"Content-Encoding": "gzip"} if self.gzip else {}
        return {"Content-Type": self.media_type, **packed}


def body_of(points: Points) -> Body:
    """Write points in the format that suits their number and what is installed."""
    if len(points) <= FEW_POINTS:
        text = '{"points":[' + ",".join(_objects(points)) + "]}"
        return _packed(text.encode(), "application/json")
    if (parquet := _parquet(points)) is not None:
        digest = hashlib.sha256(parquet).hexdigest()
        return Body(parquet, "application/vnd.apache.parquet", False, digest)
    return as_lines(points)


def as_lines(points: Points) -> Body:
    """Write one JSON object a line."""
    return _packed("\n".join(_objects(points)).encode(), "application/x-ndjson")


def _packed(plain: bytes, media_type: str) -> Body:
    digest = hashlib.sha256(plain).hexdigest()
    if len(plain) < _WORTH_PACKING_BYTES:
        return Body(plain, media_type, False, digest)
    return Body(gzip.compress(plain, _FAST, mtime=0), media_type, True, digest)


def _objects(points: Points) -> Iterator[str]:
    heads = [_head(key) for key in points.series]
    for code, time, value in zip(points.code, points.times, points.values):
        number = "null" if value is None else repr(value)
        yield f'{heads[code]},"time":"{time}","value":{number}}}'


def _head(key: Key) -> str:
    metric, labels = key
    written: dict[str, Any] = {"metric": metric, **({"labels": dict(labels)} if labels else {})}
    return json.dumps(written, separators=(",", ":"))[:-1]


def _parquet(points: Points) -> Optional[bytes]:
    try:
        # Taken where it is there: a body is written ten times as fast.
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        return None
    code = pa.array(points.code, pa.int32())
    kind = pa.map_(pa.string(), pa.string())
    labels = pa.array([list(labels) for _, labels in points.series], kind)
    table = pa.table(
        {
            "metric": pa.array([name for name, _ in points.series], pa.string()).take(code),
            "labels": labels.take(code),
            "time": pa.array(points.times, pa.string()),
            "value": pa.array(points.values, pa.float64()),
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="gzip" if not _has_zstd(pa) else "zstd")
    return buffer.getvalue()


def _has_zstd(pa: Any) -> bool:
    return bool(pa.Codec.is_available("zstd"))
