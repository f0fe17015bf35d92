"""Prometheus' remote-write: what is stored, and what a Prometheus does with each answer."""

import math
import struct
from collections.abc import Iterator, Mapping

import httpx2
import pyarrow as pa
import pytest

from service.api.protobuf import fields
from tests.service.api.house import FIRST_MS, House

STALE = struct.unpack("<d", (0x7FF0000000000002).to_bytes(8, "little"))[0]
HEADERS = {
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    "x-prometheus-remote-write-version": "0.1.0",
}
Series = tuple[Mapping[str, str], list[tuple[int, float]]]


def _number(value: int) -> bytes:
    value &= (1 << 64) - 1
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _part(number: int, content: bytes) -> bytes:
    return _number(number << 3 | 2) + _number(len(content)) + content


def message(*series: Series) -> bytes:
    body = b""
    for labels, samples in series:
        one = b"".join(
            _part(1, _part(1, name.encode()) + _part(2, value.encode()))
            for name, value in labels.items()
        )
        for ts, value in samples:
            one += _part(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _number(ts))
        body += _part(1, one)
    return body + _part(3, b"\x08\x01")  # metadata, which is of no use here


def write(client: httpx2.Client, source: str, body: bytes, **headers: str) -> httpx2.Response:
    packed = pa.Codec("snappy").compress(body, asbytes=True)
    path = f"/v1/sources/{source}/prometheus/write"
    return client.post(path, content=packed, headers={**HEADERS, **headers})


def shown(house: House, source: str) -> Iterator[tuple[str, list[int], list[float]]]:
    ingests = list(house.resources.stores.objects.names("ingest/"))
    for id_ in {name.split("/")[1] for name in ingests}:
        house.call("GET", f"/v1/ingests/{id_}", params={"wait": "60s"})
    query = {"source": source, "metric": "*", "start": "1969-01-01", "end": "2126-07-01"}
    for series in house.call("GET", "/v1/points", params=query)["items"]:
        yield series["name"], series["times_ms"], series["values"]


def test_samples_become_points(working: House) -> None:
    source = working.source("rw.plain")
    up = {"__name__": "up", "job": "node", "empty": ""}
    answer = write(
        working.http,
        source,
        message(
            (up, [(FIRST_MS + 1, 1.0), (FIRST_MS, 0.5), (FIRST_MS, 0.25)]),
            ({"__name__": "gone"}, [(FIRST_MS, STALE), (FIRST_MS + 1, math.inf)]),
            ({"__name__": "old"}, [(-5, -1.5)]),
        ),
    )
    assert (answer.status_code, answer.content) == (204, b"")
    again = message((up, [(FIRST_MS + 1, 2.0), (FIRST_MS - 1, 3.0)]))
    assert write(working.http, source, again).status_code == 204
    assert sorted(shown(working, source)) == [
        ("old", [-5], [-1.5]),
        ('up{job="node"}', [FIRST_MS - 1, FIRST_MS, FIRST_MS + 1], [3.0, 0.25, 2.0]),
    ]


def test_what_has_no_value_makes_no_ingest(idle: House) -> None:
    source = idle.source("rw.empty")
    before = list(idle.resources.stores.objects.names("ingest/"))
    for body in (b"", message(({"__name__": "gone"}, [(FIRST_MS, STALE)]))):
        assert write(idle.http, source, body).status_code == 204
    assert list(idle.resources.stores.objects.names("ingest/")) == before


def test_a_series_that_cannot_be_stored_keeps_no_other_out(working: House) -> None:
    source = working.source("rw.partly")
    answer = write(
        working.http,
        source,
        message(
            ({"__name__": "fine"}, [(FIRST_MS, 1.0)]),
            ({"__name__": "odd", "a.b": "c"}, [(FIRST_MS, 1.0)]),
            ({"job": "nameless"}, [(FIRST_MS, 1.0)]),
            ({"__name__": "long", "a": "x" * 300}, [(FIRST_MS, 1.0)]),
        ),
    )
    said = [one["detail"] for one in answer.json()["errors"]]
    assert answer.status_code == 422, "a Prometheus drops it and logs what was said"
    assert [one.split(":")[0] for one in said] == ["series 2", "series 3", "series 4"]
    assert [name for name, _, _ in shown(working, source)] == ["fine"]


@pytest.mark.parametrize(
    "body",
    [
        b"\x05hello",
        b"\x0b\x00",
        b"\xff" * 12,
        pa.Codec("snappy").compress(b"\x0a\x7f", asbytes=True),
    ],
)
def test_what_is_no_request_is_never_sent_again(idle: House, body: bytes) -> None:
    source = idle.source("rw.broken")
    answer = idle.http.post(f"/v1/sources/{source}/prometheus/write", content=body, headers=HEADERS)
    assert (answer.status_code, "WriteRequest" in answer.text) == (422, True), answer.text


def test_the_newer_protocol_and_others_are_refused_so_that_the_older_is_tried(idle: House) -> None:
    source = idle.source("rw.type")
    for name, value in (
        ("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"),
        ("content-type", "application/json"),
        ("content-encoding", "zstd"),
    ):
        answer = write(idle.http, source, message(), **{name: value})
        assert answer.status_code == 415, answer.text
    old = "application/x-protobuf; proto=prometheus.WriteRequest"
    assert write(idle.http, source, message(), **{"content-type": old}).status_code == 204


def test_a_bomb_is_refused_before_it_is_unpacked(idle: House) -> None:
    source = idle.source("rw.bomb")
    answer = idle.http.post(
        f"/v1/sources/{source}/prometheus/write", content=_number(1 << 31) + b"\0", headers=HEADERS
    )
    assert answer.status_code == 413


def test_fields_of_any_kind_are_read_over() -> None:
    data = b"\x0d\1\2\3\4" + b"\x11" + b"\0" * 8 + b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
    seen = [
        (number, content if isinstance(content, int) else bytes(content))
        for number, content in fields(memoryview(data))
    ]
    assert seen == [(1, b"\1\2\3\4"), (2, b"\0" * 8), (3, (1 << 64) - 1)]
    for broken in (b"\x0b", b"\x0a\x05abc", b"\x08" + b"\xff" * 11, b"\x08"):
        with pytest.raises(ValueError, match=r"early|unknown|64 bits"):
            list(fields(memoryview(broken)))
