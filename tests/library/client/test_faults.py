"""Lost answers, slow and broken servers, refusals: points are stored once, secrets stay secret."""

import datetime as dt
import gzip
import json
import logging
from pathlib import Path

import pytest

from lupus import Client, Metric, Metrics, RefusedError, SettingsError, UnreachableError, WaitError
from tests.library.client.hostile import Fault, Hostile
from tests.library.client.test_send import DAY, ingests, stored
from tests.service.api.house import House

AT = "2026-11-08T00:00:00.000"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lupus.client.service._FIRST_PAUSE_SECONDS", 0.01)


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(lost=True), Fault(lost=True), Fault(cut=True)],
        [Fault(status=503, headers={"Retry-After": "0"})],
        [Fault(status=429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})],
        [Fault(status=500), Fault(status=502), Fault(status=504)],
    ],
    ids=["lost", "busy", "too many", "broken"],
)
def test_faults_that_pass_cost_no_point_and_double_none(
    house: House, hostile: Hostile, faults: list[Fault]
) -> None:
    source = f"job.faults-{len(faults)}-{faults[0].status}"
    asked = len(faults) + 1
    hostile.faults = list(faults)
    sent = Client(hostile.url).send(source, {"auc": 0.5}, DAY)
    assert (sent.state, len(hostile.heard)) == ("succeeded", asked)
    assert len({request.headers["Idempotency-Key"] for request in hostile.heard}) == 1
    assert stored(house, source) == {"auc": [(AT, 0.5)]}
    assert ingests(house, source) == 1


def test_other_numbers_have_another_key(hostile: Hostile) -> None:
    hostile.faults = [Fault(status=422), Fault(status=422), Fault(status=422), Fault(status=422)]
    client = Client(hostile.url)
    for source, value in (("a", 1), ("a", 2), ("b", 1), ("a", 1)):
        with pytest.raises(RefusedError, match="answered 422"):
            client.send(source, {"auc": value}, DAY)
    keys = [request.headers["Idempotency-Key"] for request in hostile.heard]
    assert len(set(keys[:3])) == 3
    assert keys[3] == keys[0]


def test_patience_ends(hostile: Hostile) -> None:
    hostile.faults = [Fault(status=503, headers={"Retry-After": "3600"})] * 3
    with pytest.raises(RefusedError, match="answered 503"):
        Client(hostile.url, retry_for=5).send("a", {"auc": 1}, DAY)
    assert len(hostile.heard) == 1
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:9 does not answer: .*refused"):
        Client("http://127.0.0.1:9", retry_for=0.05).send("a", {"auc": 1}, DAY)


def test_a_slow_service_is_given_up(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lupus.client.service._READ_SECONDS", 0.05)
    hostile.faults = [Fault(status=200, delay_seconds=0.5)]
    with pytest.raises(UnreachableError, match="timed out"):
        Client(hostile.url, retry_for=0).send("a", {"auc": 1}, DAY)


def test_what_is_no_service_is_told(hostile: Hostile) -> None:
    hostile.faults = [Fault(status=200)]
    with pytest.raises(RefusedError, match="something else than JSON: is that the service"):
        Client(hostile.url).send("a", {"auc": 1}, DAY)
    hostile.faults = [Fault(status=301, headers={"Location": "https://there/v1?secret=1"})]
    with pytest.raises(RefusedError, match="301: the address should lead to https://there/v1 "):
        Client(hostile.url).send("a", {"auc": 1}, DAY)


def test_an_ingest_that_is_not_over_in_time_goes_on(hostile: Hostile) -> None:
    queued = {"id": "i1", "state": "queued", "errors": [], "error": ""}
    hostile.faults = [Fault(status=202, body=json.dumps(queued).encode())]
    with pytest.raises(WaitError, match="ingest i1 is queued after 0 s; it goes on"):
        Client(hostile.url).send("a", {"auc": 1}, DAY, timeout=0)
    hostile.faults = [Fault(status=202, body=json.dumps(queued).encode())]
    sent = Client(hostile.url).send("a", {"auc": 1}, DAY, wait=False)
    assert (sent.state, sent.ingests) == ("accepted", ("i1",))


def test_an_ingest_that_a_store_failed_is_tried_again_as_another(
    house: House, hostile: Hostile
) -> None:
    failed = {"detail": "the disk is gone", "ingest": "i1", "status": 502}
    hostile.faults = [Fault(status=502, body=json.dumps(failed).encode())]
    Client(hostile.url).send("job.failed", {"auc": 0.5}, DAY)
    first, second = (request.headers["Idempotency-Key"] for request in hostile.heard)
    assert second == f"{first}.i1"
    assert stored(house, "job.failed") == {"auc": [(AT, 0.5)]}


def test_large_bodies_are_packed(house: House, hostile: Hostile) -> None:
    many = Metrics([Metric("rows", float(n), {"shop": f"{n}"}) for n in range(100)])
    Client(hostile.url).send("job.packed", many, DAY)
    (request,) = hostile.heard
    assert request.headers["Content-Encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(request.body))["points"]) == 100


def test_a_service_without_a_bucket_gets_the_points_themselves(
    house: House, hostile: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lupus.client.send.UPLOAD_BYTES", 10)
    Client(hostile.url).send("job.folder", {"auc": 0.5}, DAY)
    assert [request.path.rpartition("/")[2] for request in hostile.heard] == ["uploads", "points"]
    assert stored(house, "job.folder") == {"auc": [(AT, 0.5)]}


def test_a_token_shows_itself_nowhere(
    hostile: Hostile, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "lupus_" + "s3cr3t" * 5
    client = Client(hostile.url, secret, retry_for=0.5)
    hostile.faults = [Fault(status=503), Fault(status=401)]
    with pytest.raises(RefusedError) as refused:
        client.send("a", {"auc": 1}, DAY)
    assert hostile.heard[0].headers["Authorization"] == f"Bearer {secret}"
    shown = repr(client) + repr(vars(client)) + repr(vars(client._service)) + repr(refused.value)
    assert "s3cr3t" not in shown + caplog.text
    with pytest.raises(SettingsError) as bad:
        Client(f"https://user:{secret}@host")
    assert "s3cr3t" not in str(bad.value)
    with pytest.raises(SettingsError, match="characters that no token has"):
        Client(token=f"{secret}\nx")


def test_a_rotated_token_is_read_again(
    house: House, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("lupus_old")
    monkeypatch.setenv("LUPUS_TOKEN_FILE", str(file))
    monkeypatch.setenv("LUPUS_URL", url)
    client = Client()
    file.write_text(house.token(["job.rotated"]) + "\n")
    assert client.send("job.rotated", {"auc": 1}, DAY).state == "succeeded"


def test_the_environment_s_proxy_is_asked(
    hostile: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", hostile.url)
    monkeypatch.setenv("no_proxy", "elsewhere.example")
    hostile.faults = [Fault(status=403)]
    with pytest.raises(RefusedError, match="answered 403"):
        Client("http://lupus.example:1").send("a", {"auc": 1}, DAY)
    assert hostile.heard[0].path == "http://lupus.example:1/v1/sources/a/points"


@pytest.mark.parametrize("url", ["lupus.example", "ftp://x", "http://", "https://x/?token=1"])
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        Client(url)


def test_a_certificate_file_must_be_there() -> None:
    with pytest.raises(SettingsError, match="LUPUS_CA_BUNDLE: there is no file /none"):
        Client("https://lupus.example", ca_bundle="/none")


def test_times_are_dates_or_have_a_zone() -> None:
    import numpy as np
    import pandas as pd

    from lupus.client.instant import instant

    tokyo = dt.timezone(dt.timedelta(hours=9))
    for at, text in (
        (DAY, "2026-11-08"),
        (np.datetime64("2026-11-08"), "2026-11-08"),
        (dt.datetime(2026, 11, 8, 9, tzinfo=tokyo), "2026-11-08T00:00:00Z"),
        (pd.Timestamp("2026-11-08 00:00:00.1234567", tz="UTC"), "2026-11-08T00:00:00.123Z"),
        ("2026-11-08 09:00+0900", "2026-11-08T00:00:00Z"),
        ("2026-11-08T00:00:00.5z", "2026-11-08T00:00:00.500Z"),
    ):
        assert instant(at) == text


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (dt.datetime(2026, 11, 8), "no time zone"),  # noqa: DTZ001  that is what is tried
        ("2026-11-08T00:00", "no time zone"),
        ("2026-02-30", "day is out of range"),
        ("2026-11", "no time"),
        ("1800-01-01", "years 1900 to 2199"),
        (1762560000, "no time"),
        (None, "at is missing"),
    ],
)
def test_other_times_are_refused_before_anything_is_sent(at: object, why: str) -> None:
    from lupus import MetricsError

    with pytest.raises(MetricsError, match=why):
        Client("http://127.0.0.1:9").send("a", {"auc": 1}, at)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"auc": "0.5"}, "auc is '0.5': allowed are numbers"),
        ({"auc": float("inf")}, "auc is inf: allowed are finite"),
        ({"": 1}, "1 to 200 printable"),
        ({1: 1}, "name is text, not 1"),
        (3, "builtins.int cannot be sent"),
        ("auc", "cannot be sent"),
        ([1], "cannot be sent"),
    ],
)
def test_what_is_no_metric_is_refused_and_named(what: object, why: str) -> None:
    from lupus import MetricsError

    with pytest.raises(MetricsError, match=why):
        Client("http://127.0.0.1:9").send("a", what, DAY, nan="skip")
