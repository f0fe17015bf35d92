"""Metrics that a job sends are in the real service afterwards, once and as they were."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from lupus import Client, Metric, Metrics, MetricsError, PointsError, RefusedError
from tests.service.api.house import House

DAY = dt.date(2026, 11, 8)


def stored(house: House, source: str, **more: str) -> dict[str, list[tuple[str, float]]]:
    """Times and values of each series."""
    query = {"source": source, "metric": "*", "start": "2026-01-01", "end": "2027-01-01", **more}
    chart = house.call("GET", "/v1/points", params=query)
    return {
        one["name"]: [
            (str(np.datetime64(ms, "ms")), value)
            for ms, value in zip(one["times_ms"], one["values"], strict=True)
        ]
        for one in chart["items"]
        if one["times_ms"]
    }


def ingests(house: House, source: str) -> int:
    from sqlalchemy import func, select

    from service.database import tables

    with house.resources.database.read() as tx:
        count = select(func.count()).where(tables.ingests.c.source == source)
        return int(tx.execute(count).scalar_one())


def test_numbers_of_a_day_are_stored_at_the_day_of_the_source(house: House, client: Client) -> None:
    source = house.source("job.days", timezone="Asia/Tokyo")
    sent = client.send(source, {"rows": 1200, "auc": np.float32(0.5)}, at=DAY)
    assert (sent.state, sent.points, len(sent.ingests)) == ("succeeded", 2, 1)
    assert stored(house, source) == {
        "auc": [("2026-11-07T15:00:00.000", 0.5)],
        "rows": [("2026-11-07T15:00:00.000", 1200.0)],
    }


def test_what_has_metrics_is_sent_with_its_labels(house: House, client: Client) -> None:
    class Statistics:
        def metrics(self) -> Metrics:
            return Metrics([Metric("rows", 3.0, {"region": "jp", "model": ""})])

    at = dt.datetime(2026, 11, 8, 9, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    client.send("job.labels", Statistics(), at, labels={"job": "train"})
    name = 'rows{job="train",region="jp"}'
    assert stored(house, "job.labels") == {name: [("2026-11-08T00:00:00.000", 3.0)]}


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_a_table_is_sent_row_by_row(house: House, client: Client, library: Any) -> None:
    table = library.DataFrame(
        {
            "metric": ["rows", "rows", "auc"],
            "time": [DAY, dt.date(2026, 11, 9), DAY],
            "region": ["jp", "jp", None],
            "fold": [1, 1, 2],
            "value": [3.0, 4.0, 0.5],
        }
    )
    source = f"job.table-{library.__name__}"
    assert client.send(source, table).points == 3
    assert stored(house, source) == {
        'auc{fold="2"}': [("2026-11-08T00:00:00.000", 0.5)],
        'rows{fold="1",region="jp"}': [
            ("2026-11-08T00:00:00.000", 3.0),
            ("2026-11-09T00:00:00.000", 4.0),
        ],
    }


@pytest.mark.slow
def test_many_points_are_sent_as_parquet_and_as_lines(
    house: House, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lupus.client.body.FEW_POINTS", 10)
    many = Metrics([Metric("rows", float(n), {"shop": f"{n}"}) for n in range(1500)])
    sent = client.send("job.many", many, DAY)
    assert (sent.points, sent.state) == (1500, "succeeded")
    monkeypatch.setattr("lupus.client.body._parquet", lambda points: None)
    assert not client.send("job.many", many.prefixed("line."), DAY).replayed
    found = stored(house, "job.many", labels="shop=7")
    at = "2026-11-08T00:00:00.000"
    assert found == {'rows{shop="7"}': [(at, 7.0)], 'line.rows{shop="7"}': [(at, 7.0)]}
    catalog = house.call("GET", "/v1/sources/job.many/metrics")["items"]
    assert {one["metric"]: one["series"] for one in catalog} == {"rows": 1500, "line.rows": 1500}


def test_the_same_again_is_one_ingest_and_other_numbers_are_another(
    house: House, client: Client
) -> None:
    first = client.send("job.again", {"auc": 0.5, "rows": 3}, DAY)
    again = client.send("job.again", {"rows": 3.0, "auc": 0.5}, "2026-11-08")
    assert again.ingests == first.ingests
    assert again.replayed
    other = client.send("job.again", {"auc": 0.6, "rows": 3}, DAY)
    assert not other.replayed
    assert ingests(house, "job.again") == 2


def test_numbers_that_come_back_replace_what_came_between(house: House, client: Client) -> None:
    for value in (0.5, 0.6, 0.5):
        client.send("job.back", {"auc": value}, DAY)
        assert stored(house, "job.back") == {"auc": [("2026-11-08T00:00:00.000", value)]}
    assert client.send("job.back", {"auc": 0.5}, DAY).replayed
    assert ingests(house, "job.back") == 3


def test_who_may_not_read_sends_again(house: House, client: Client, url: str) -> None:
    house.source("job.blind")
    sender = Client(url, token=house.token(["job.blind"], ["ingest"]))
    assert not sender.send("job.blind", {"auc": 0.5}, DAY).replayed
    assert not sender.send("job.blind", {"auc": 0.5}, DAY).replayed


def test_what_has_no_value_is_refused_left_out_or_removed(house: House, client: Client) -> None:
    numbers = {"auc": float("nan"), "rows": 3, "loss": None}
    with pytest.raises(MetricsError, match=r"no value: auc, loss\. nan='skip' leaves"):
        client.send("job.nan", numbers, DAY)
    sent = client.send("job.nan", numbers, DAY, nan="skip")
    assert (sent.points, sent.skipped) == (1, ("auc", "loss"))
    client.send("job.nan", {"auc": 0.5}, DAY)
    client.send("job.nan", numbers, DAY, nan="remove")
    assert stored(house, "job.nan") == {"rows": [("2026-11-08T00:00:00.000", 3.0)]}
    nothing = client.send("job.nan", {"auc": None}, DAY, nan="skip")
    assert str(nothing) == "job.nan: 0 points nothing, 1 without a value left out"


def test_a_batch_is_one_ingest_and_after_an_error_nothing(house: House, client: Client) -> None:
    with client.batch("job.batch") as batch:
        for day in (8, 9):
            batch.send({"rows": day}, at=dt.date(2026, 11, day))
        with pytest.raises(MetricsError, match="rows at 2026-11-09 is there twice"):
            batch.send({"auc": 1, "rows": 9}, at="2026-11-09")
    assert (batch.sent.points, len(batch.sent.ingests)) == (2, 1)

    def fail() -> None:
        with client.batch("job.batch") as lost:
            lost.send({"rows": 1}, at=DAY)
            raise RuntimeError("the job failed")

    with pytest.raises(RuntimeError, match="the job failed"):
        fail()
    assert ingests(house, "job.batch") == 1


def test_a_dry_run_sends_nothing(house: House, client: Client) -> None:
    sent = client.send("job.dry", {"rows": 3}, DAY, dry_run=True)
    assert sent.state == "dry run"
    assert house.http.get("/v1/sources/job.dry").status_code == 404


def test_points_at_fault_are_named(client: Client) -> None:
    long = Metrics([Metric("rows", 3.0, {"region": "x" * 300}), Metric("auc", 0.5)])
    with pytest.raises(PointsError) as caught:
        client.send("job.faults", long, DAY)
    point = caught.value.points[0]
    assert point.point.startswith('rows{region="xxx')
    assert (point.field, "allowed are 256" in point.reason) == ("labels", True)
    assert "nothing was stored" in str(caught.value)


@pytest.mark.slow
def test_many_points_at_fault_are_named_too(client: Client) -> None:
    many = [Metric("rows", float(n), {"shop": f"{n}" * 100}) for n in range(1500)]
    with pytest.raises(PointsError, match=r"and 90 more: see \.points") as caught:
        client.send("job.many-faults", Metrics(many), DAY)
    assert len(caught.value.points) == 100


def test_a_refusal_says_what_the_service_says(house: House, url: str) -> None:
    house.source("job.mine")
    stranger = Client(url, token=house.token(["job.other"]))
    with pytest.raises(RefusedError) as caught:
        stranger.send("job.mine", {"rows": 3}, DAY)
    assert caught.value.status in (403, 404)
    with pytest.raises(RefusedError, match="token= or LUPUS_TOKEN"):
        Client(url, token="lupus_wrong").send("job.mine", {"rows": 3}, DAY)
