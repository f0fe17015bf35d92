"""Bodies that are wrong as bytes: what is sent and how it is called, the status, the words."""

import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.service.api.house import daily, detection

D = "/v1/detections"
S = "/v1/sources/bad.source"
P = f"{S}/points"
JSON = {"content-type": "application/json"}
CSV = {"content-type": "text/csv"}
NDJSON = {"content-type": "application/x-ndjson"}
PARQUET = {"content-type": "application/vnd.apache.parquet"}
ARROW = {"content-type": "application/vnd.apache.arrow.stream"}
GZIP = {**JSON, "content-encoding": "gzip"}


def _detection(before: bytes = b"", after: bytes = b"", **more: Any) -> bytes:
    """A request that is right, with something in it replaced."""
    return json.dumps(detection("bad.source", **more)).encode().replace(before, after, 1)


def _point(fields: bytes) -> bytes:
    return b'{"points": [{"metric": "a", "time": "2026-01-01", ' + fields + b"}]}"


def _parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"metric": ["a"] * 1000, "value": [1.0] * 1000}), buffer)
    return buffer.getvalue()


def _arrow() -> bytes:
    buffer = io.BytesIO()
    table = pa.table({"metric": ["a"]})
    with pa.ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()


DEEP = b"[" * 100_000 + b"]" * 100_000
PACKED = gzip.compress(json.dumps({"points": daily([1.0])}).encode())
TABLE, STREAM = _parquet(), _arrow()
LONG_NUMBER = b"9" * 5000

# what it is, path of the POST, headers, body, status, the field, words of what is wrong or allowed
BODIES: list[tuple[str, str, dict[str, str], bytes, int, str, str]] = [
    ("no JSON", D, JSON, b"{", 422, "", "is not JSON"),
    ("nothing", D, JSON, b"", 422, "", "required"),
    ("null", D, JSON, b"null", 422, "", "object"),
    ("a text", D, JSON, b'"x"', 422, "", "object"),
    ("NaN", D, JSON, _detection(b"0.2", b"NaN"), 422, "", "is not JSON"),
    ("Infinity", D, JSON, _detection(b"0.2", b"-Infinity"), 422, "", "is not JSON"),
    ("1e999", D, JSON, _detection(b"0.2", b"1e999"), 422, "/detector/lower", "give a number"),
    ("a key twice", D, JSON, _detection(b"{", b'{"rule": "a", '), 422, "/rule", "twice"),
    (
        "a key twice within",
        D,
        JSON,
        _detection(b'"lower"', b'"lower": 1, "lower"'),
        422,
        "/detector/lower",
        "one value for each key",
    ),
    ("no UTF-8", D, JSON, _detection(b"check", b"\xff\xfe"), 422, "", "is not JSON"),
    ("UTF-16", D, JSON, _detection().decode().encode("utf-16"), 422, "", "is not JSON"),
    ("half a character", D, JSON, _detection(b"check", b"\\ud800"), 422, "", "is not JSON"),
    ("NUL", D, JSON, _detection(b"check", b"a\\u0000b"), 422, "/rule", "but NUL"),
    ("nested deeply", D, JSON, DEEP, 422, "", "recursion limit"),
    (
        "nested in a parameter",
        D,
        JSON,
        _detection(b'"threshold"', b"[" * 150 + b"]" * 150),
        422,
        "/detector/type",
        "",
    ),
    ("a long number", D, JSON, _detection(b"0.2", LONG_NUMBER), 422, "", "out of range"),
    ("form", D, {"content-type": "application/x-www-form-urlencoded"}, b"a=b", 415, "",
     "allowed here is application/json"),
    ("text", D, {"content-type": "text/plain"}, _detection(), 415, "", "application/json"),
    ("no type", D, {}, _detection(), 415, "", "is missing"),
    ("gzip", D, GZIP, gzip.compress(_detection()), 415, "", "allowed here is identity"),
    ("above the limit", D, JSON, _detection(b"check", b"x" * 1_100_000), 413, "",
     "LUPUS_MAX_REQUEST_KB"),
    ("key with a space", D, {**JSON, "idempotency-key": "a b"}, _detection(), 422,
     "Idempotency-Key", "1 to 255 visible ASCII"),
    ("key too long", D, {**JSON, "idempotency-key": "a" * 256}, _detection(), 422,
     "Idempotency-Key", "1 to 255 visible ASCII"),
    ("points: no JSON", P, JSON, b"{", 422, "/points", "is not JSON"),
    ("points: NaN", P, JSON, _point(b'"value": NaN'), 422, "/points/0/value", "finite"),
    ("points: 1e999", P, JSON, _point(b'"value": 1e999'), 422, "/points/0/value", "finite"),
    ("points: long number", P, JSON, _point(b'"value": ' + LONG_NUMBER), 422, "/points", "digits"),
    ("points: key twice", P, JSON, _point(b'"value": 1, "value": 2'), 422, "/points", "'value' is"),
    ("points: label twice", P, JSON, _point(b'"value": 1, "labels": {"r": "a", "r": "b"}'), 422,
     "/points", "'r' is there twice"),
    ("points: half a character", P, JSON, _point(b'"value": 1, "labels": {"r": "\\ud800"}'), 422,
     "/points/0/labels", "half characters"),
    ("points: no UTF-8", P, JSON, _point(b'"\xff": 1'), 422, "/points", "is not JSON"),
    ("points: nested deeply", P, JSON, DEEP, 422, "/points", "nested too deeply"),
    ("points: both", P, JSON, b'{"points": [], "upload": "a"}', 422, "/upload", "either points or"),
    ("points: no type", P, {}, b"{}", 415, "", "allowed are application/json"),
    ("points: other type", P, {"content-type": "application/xml"}, b"<a/>", 415, "", "text/csv"),
    ("points: br", P, {**JSON, "content-encoding": "br"}, b"x", 415, "", "gzip and identity"),
    ("points: gzip twice", P, {**JSON, "content-encoding": "gzip, gzip"}, PACKED, 415, "", "gzip"),
    ("points: no gzip", P, GZIP, b"hello", 415, "", "the body is not gzip"),
    ("points: cut gzip", P, GZIP, PACKED[:-6], 415, "", "ends too early"),
    ("lines: no JSON", P, NDJSON, b'{"metric"\n', 422, "/points/0/line", "is not JSON"),
    ("lines: nested deeply", P, NDJSON, DEEP, 422, "/points/0/line", "nested too deeply"),
    ("CSV: nothing", P, CSV, b"", 422, "", "time and value are needed"),
    ("CSV: no UTF-8", P, CSV, b"metric,time,value\n\xff,2026-01-01,1\n", 422, "/points", "UTF8"),
    ("CSV: column twice", P, CSV, b"metric,time,value,value\n", 422, "/value", "2 times"),
    ("CSV: short row", P, CSV, b"metric,time,value\na\n", 422, "/points/0/row", "the header has 3"),
    ("CSV: nan", P, CSV, b"metric,time,value\na,2026-01-01,nan\n", 422, "/points/0/value",
     "finite"),
    ("Parquet: nothing", P, PARQUET, b"", 422, "/points", "is not Parquet"),
    ("Parquet: cut end", P, PARQUET, TABLE[:-20], 422, "/points", "is not Parquet"),
    ("Parquet: half", P, PARQUET, TABLE[: len(TABLE) // 2], 422, "/points", "is not Parquet"),
    ("Parquet: cut start", P, PARQUET, TABLE[40:], 422, "/points", "is not Parquet"),
    ("Parquet: holes", P, PARQUET, TABLE[:4] + bytes(300) + TABLE[304:], 422, "/points",
     "is not Parquet"),
    ("Parquet: wrong size", P, PARQUET, b"PAR1" + b"x" * 99 + b"PAR1", 422, "/points",
     "is not Parquet"),
    ("Arrow: cut", P, ARROW, STREAM[:-30], 422, "/points", "is not Arrow"),
    ("Arrow: garbage", P, ARROW, b"\xff" * 99, 422, "/points", "is not Arrow"),
]  # fmt: skip
