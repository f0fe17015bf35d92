"""A detection asked for by the library, waited for, and looked at."""

import datetime as dt
import math

import pandas as pd
import polars as pl
import pytest

from lupus import Client, LupusError, Metric, Metrics, RefusedError
from lupus.client.run import Run
from tests.service.api.house import House

pytestmark = pytest.mark.slow

FIRST = dt.date(2026, 9, 1)
RANGE = {"start": dt.date(2026, 10, 11), "end": "2026-10-31"}


@pytest.fixture(scope="module")
def asked(house: House) -> tuple[Client, Run]:
    """Sixty days of two series, one of them with a drop, judged."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        client = Client(f"http://127.0.0.1:{house.resources.settings.port}")
    with client.batch("job.detect") as batch:
        for day in range(60):
            calm = 100 + math.sin(day)
            both = [
                Metric("rows", calm, {"region": "jp"}),
                Metric("rows", 50.0 if day == 55 else calm, {"region": "tw"}),
            ]
            batch.send(Metrics(both), FIRST + dt.timedelta(days=day))
    run = client.detect(
        "job.detect", "rows", {"type": "window"}, rule="daily", after=batch.sent, **RANGE
    )
    return client, run.wait(240)


def test_a_run_is_waited_for_and_says_what_it_found(asked: tuple[Client, Run]) -> None:
    run = asked[1]
    assert (run.state, run.over, run.error) == ("succeeded", True, "")
    assert run.counts["anomalous"] == 1
    assert str(run) == "job.detect daily: succeeded, 1 anomalous of 40 judged points in 2 series"
    assert run.report_url.endswith(f"/v1/detections/{run.id}/report")
    assert f'<a href="{run.report_url}">report</a>' in run._repr_html_()
    assert {row["name"]: row["anomalous"] for row in run.series()} == {
        'rows{region="jp"}': 0,
        'rows{region="tw"}': 1,
    }


def test_anomalies_are_rows_and_tables(asked: tuple[Client, Run]) -> None:
    client, run = asked
    rows = run.anomalies()
    assert [row["value"] for row in rows] == [50.0]
    assert [row["id"] for row in client.anomalies(source="job.detect", labels={"region": "tw"})]
    assert not client.anomalies(source="job.detect", labels={"region": "jp"})
    assert len(run.anomalies(only_new=True)) == 1
    for table in (rows.to_pandas(), rows.to_polars().to_pandas()):
        assert table["time"][0] == pd.Timestamp("2026-10-26", tz="UTC")
        assert table["label.region"][0] == "tw"
    assert "<td>rows{region=&quot;tw&quot;}</td>" in rows._repr_html_()
    assert str(rows).splitlines()[1].startswith('rows{region="tw"}  2026-10-26T00:00:00Z  50 ')
    assert rows.to_csv().splitlines()[0].startswith("id,source,rule,series,name,metric,label.")


def test_a_series_is_drawn_with_its_band_and_anomalies(asked: tuple[Client, Run]) -> None:
    client, run = asked
    charts = client.points("job.detect", start=FIRST, end="2026-10-31", rule="daily")
    calm, drop = charts
    assert (len(calm.values), len(drop.values), len(drop.band.lower)) == (60, 60, 20)
    assert [one["value"] for one in drop.anomalies] == [50.0]
    figure = charts.plot()
    assert [axes.get_title(loc="left") for axes in figure.axes] == [calm.name, drop.name]
    points = charts.plot("plotly", most=1).data
    assert [trace.name for trace in points[2:]] == ["expected", "value", "anomaly"]
    table = run.charts().to_pandas()
    assert (len(table), table["is_anomaly"].sum()) == (40, 1)
    odd = table[table["is_anomaly"]].iloc[0]
    assert odd["value"] < odd["lower"] < odd["expected"] < odd["upper"]


def test_without_a_rule_nothing_is_kept(asked: tuple[Client, Run]) -> None:
    run = asked[0].detect("job.detect", "rows", "window", last="5d").wait(240)
    with pytest.raises(LupusError, match="stored nothing, for it has no rule"):
        run.anomalies()


def test_a_request_is_estimated(asked: tuple[Client, Run]) -> None:
    found = asked[0].estimate(asked[1].document["request"])
    assert (found["series"], found["range"]["end"]) == (2, "2026-10-31T00:00:00Z")


def test_the_same_key_is_the_same_run(asked: tuple[Client, Run]) -> None:
    client = asked[0]
    runs = [client.detect("job.detect", "rows", "window", last="5d", key="k1") for _ in range(2)]
    assert runs[0].id == runs[1].id == client.run(runs[0].id).id
    assert runs[0].wait(240).over
    assert client.runs(source="job.detect", rule="daily")[0].id == asked[1].id


def test_what_is_wrong_with_a_request_the_service_says(asked: tuple[Client, Run]) -> None:
    with pytest.raises(RefusedError, match="windw"):
        asked[0].detect("job.detect", "rows", "windw", last="5d")
    with pytest.raises(RefusedError, match="notifi"):
        asked[0].detect("job.detect", "rows", "window", last="5d", notifi={})


def test_sources_and_runs_are_listed(asked: tuple[Client, Run]) -> None:
    names = [row["name"] for row in asked[0].sources()]
    assert "job.detect" in names
    assert isinstance(asked[0].sources().to_polars(), pl.DataFrame)
