"""A table is judged without a server as the service and ``lupus-server try`` judge it."""

import io
import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from rich.console import Console

import lupus
from lupus import Client, Detection, MetricsError
from service.tryout.run import TryOptions, try_file
from tests.service.api.house import House

FIRST, DAYS = pd.Timestamp("2026-08-01"), 80
FACTS = ("value", "expected", "lower", "upper", "score")


def table() -> pd.DataFrame:
    """Eighty days of two regions with a drop, a rise and a day without data."""
    rows = []
    for number in range(DAYS):
        day = FIRST + pd.Timedelta(days=number)
        calm = 100 + 3 * math.sin(number * 1.7) + 2 * math.cos(number * 0.9)
        rows.append({"day": day, "region": "jp", "rows": 150.0 if number == 70 else calm})
        if number != 60:
            drop = number in (74, 75)
            rows.append({"day": day, "region": "tw", "rows": 60.0 if drop else calm + 5})
    return pd.DataFrame(rows)


def facts(rows: Any) -> dict[tuple[str, str], list[Any]]:
    """What is said of each anomaly, floats within a billionth."""
    return {
        (row["name"], row["time"]): [row["severity"], row["direction"]]
        + [None if row[name] is None else pytest.approx(row[name], rel=1e-9) for name in FACTS]
        for row in rows
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "detector",
    [
        {"type": "window"},
        {"type": "threshold", "lower": 70.0, "upper": 120.0},
    ],
    ids=["window", "threshold"],
)
def test_the_service_and_the_table_s_own_detection_say_the_same(
    house: House, client: Client, detector: Mapping[str, Any]
) -> None:
    source = f"job.local-{detector['type']}"
    long = table().rename(columns={"day": "time", "rows": "value"}).assign(metric="rows")
    long["time"] = long["time"].dt.date
    client.send(source, long)
    wanted = {"start": "2026-10-01", "end": "2026-10-20"}
    mine = lupus.detect(table(), time="day", value="rows", by="region", detector=detector, **wanted)
    kept = client.detect(source, "rows", detector, rule="daily", **wanted).wait(240)
    assert len(mine.anomalies) >= 3
    assert facts(mine.anomalies) == facts(kept.anomalies())
    assert mine.detector == kept.document["detector"]
    loose = client.detect(source, "rows", detector, **wanted).wait(240)
    assert loose.counts["judged"] == mine.judged
    found = mine.to_pandas().groupby("name")["is_anomaly"].sum().to_dict()
    assert {row["name"]: row["anomalous"] for row in loose.series()} == found


def test_a_file_that_is_tried_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    table().to_csv(path, index=False)
    console = Console(file=io.StringIO())
    findings = try_file(TryOptions(str(path), detector="window", last="20d"), console)
    mine = lupus.detect(
        table(), time="day", value="rows", by=["region"], detector="window", last="20d"
    )
    tried = {
        (one.series.name, f"{time}Z".replace(".000", ""), expected)
        for one in findings
        for time, expected in zip(
            one.result.times[one.anomalies], one.result.expected[one.anomalies], strict=True
        )
    }
    assert len(tried) >= 3
    assert tried == {(row["name"], row["time"], row["expected"]) for row in mine.anomalies}


@pytest.fixture(scope="module")
def found() -> Detection:
    return lupus.detect(table(), time="day", value="rows", by="region", detector="window")


def test_an_answer_is_a_table_a_picture_and_a_page(found: Detection) -> None:
    assert str(found).startswith("3 anomalies in 2 series; ")
    every = found.to_pandas()
    assert every["is_anomaly"].sum() == 3
    assert set(every["label.region"]) == {"jp", "tw"}
    assert len(found.plot().axes) == 2
    page = found._repr_html_()
    assert "<svg" in page
    assert "<table>" in page


def test_a_table_of_polars_says_the_same(found: Detection) -> None:
    mine = lupus.detect(
        pl.from_pandas(table()), time="day", value="rows", by="region", detector="window"
    )
    assert facts(mine.anomalies) == facts(found.anomalies)


@pytest.mark.parametrize(
    "times",
    [
        lambda day: day.dt.date,
        lambda day: day.dt.strftime("%Y-%m-%d"),
        lambda day: day.dt.tz_localize("Asia/Tokyo"),
        lambda day: day.dt.strftime("%Y-%m-%dT%H:%M:%S+09:00"),
    ],
    ids=["date", "text", "zone", "offset"],
)
def test_times_without_a_zone_are_local(times: Any) -> None:
    local = table().assign(day=lambda frame: times(frame["day"]))
    mine = lupus.detect(
        local,
        time="day",
        value="rows",
        by="region",
        detector="window",
        timezone="Asia/Tokyo",
        start="2026-10-10",
    )
    assert {row["time"] for row in mine.anomalies} == {
        "2026-10-09T15:00:00Z",
        "2026-10-13T15:00:00Z",
        "2026-10-14T15:00:00Z",
    }


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"by": ()}, "rows of one series share a time: by="),
        ({"value": "rowz"}, "has no column 'rowz'; there are day, region, rows"),
        ({"detector": "windw"}, "detector: .*windw"),
        ({"detector": {"type": "window", "kk": 3}}, "detector: .*kk"),
        ({"last": "7 days"}, "allowed are a number and m, h, d or w"),
        ({"last": "7d", "start": "2026-10-01"}, "either start or last"),
        ({"table": table().head(0)}, "no rows"),
        ({"table": table().assign(day=np.arange(2 * DAYS - 1))}, "unit='ms'"),
        ({"table": table().assign(day="soon")}, "times cannot be read"),
    ],
)
def test_what_cannot_be_judged_is_told(change: dict[str, Any], why: str) -> None:
    asked: dict[str, Any] = {"table": table(), "time": "day", "value": "rows", "by": "region"}
    asked |= {"detector": "window", **change}
    with pytest.raises(MetricsError, match=why):
        lupus.detect(asked.pop("table"), **asked)


def test_without_the_detectors_an_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['detectors'] = None\n"
        "import lupus\n"
        "try: lupus.detect\n"
        "except lupus.ExtraError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "lupus[local]"' in said.stdout
