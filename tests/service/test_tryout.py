"""`lupus-server try`: what is guessed, what is refused, what is written."""

import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from rich.console import Console

from detectors import Series
from detectors.explain import Explanation, replay
from service.cli import main
from service.tryout.choose import choose_detector
from service.tryout.columns import assign_columns
from service.tryout.errors import TryError
from service.tryout.read import read_table
from service.tryout.run import TryOptions, try_file
from service.tryout.series import NamedSeries, cut_series
from tests.conftest import ROOT


def _daily(days: int, drop_at: int | None) -> list[tuple[str, float]]:
    rng = np.random.default_rng(1)
    start = datetime(2026, 1, 1)  # noqa: DTZ001 - a CSV's dates are local
    values = 0.4 + rng.normal(0, 0.004, days)
    if drop_at is not None:
        values[drop_at] -= 0.1
    return [(f"{start + timedelta(days=i):%Y-%m-%d}", float(v)) for i, v in enumerate(values)]


@pytest.fixture
def metrics_csv(tmp_path: Path) -> Path:
    lines = ["dt,region,ndcg"]
    for region, drop_at in (("jp", 195), ("tw", None)):
        lines += [f"{day},{region},{value:.6f}" for day, value in _daily(200, drop_at)]
    path = tmp_path / "metrics.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def _run(options: TryOptions, as_json: bool = False) -> str:
    out = io.StringIO()
    try_file(options, Console(file=out, width=140, no_color=True), as_json)
    return out.getvalue()


def test_every_guess_is_said_and_the_planted_drop_is_the_worst(metrics_csv: Path) -> None:
    text = _run(TryOptions(str(metrics_csv)))
    assert "guessed: time is 'dt' (date32)" in text
    assert "guessed: value is 'ndcg'" in text
    assert "guessed: series by 'region'" in text
    assert "detector: auto, which takes for each series" in text
    assert "chosen: prophet (min_points 60, interval_width 0.9995): 60 daily points or more" in text
    first_row = text[text.index("when (UTC)") :].splitlines()[1]
    assert re.match(r'2026-07-15\s+1\s+ndcg\{region="jp"\}.*↓ critical', first_row)


def test_json_has_the_same_anomaly(metrics_csv: Path) -> None:
    answer = json.loads(_run(TryOptions(str(metrics_csv), detector="window"), as_json=True))
    assert answer["detector"] == {"type": "window"}
    assert answer["chosen"] == {}
    severe = [a for a in answer["anomalies"] if a["severity"] == "critical"]
    assert [(a["series"], a["time"][:10], a["direction"]) for a in severe] == [
        ('ndcg{region="jp"}', "2026-07-15", "down")
    ]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_written_rows_are_one_for_each_checked_point(
    metrics_csv: Path, tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"answer.{ending}"
    _run(TryOptions(str(metrics_csv), detector="window", out=str(out)))
    read = pa.csv.read_csv if ending == "csv" else pa.parquet.read_table
    table = read(out)
    assert table.num_rows == 400
    expected = "series time value expected lower upper score is_anomaly severity direction reason"
    expected += " episode_start"
    assert " ".join(table.column_names) == expected
    assert table.column("severity").to_pylist().count("critical") == 1
    anomalous = table.filter(table.column("is_anomaly"))
    assert anomalous.column("episode_start").null_count == 0
    assert table.column("episode_start").null_count == 400 - anomalous.num_rows


def test_png_is_a_picture_and_html_holds_everything_inside(
    metrics_csv: Path, tmp_path: Path
) -> None:
    png, html = tmp_path / "a.png", tmp_path / "a.html"
    _run(TryOptions(str(metrics_csv), detector="window", out=str(png)))
    _run(TryOptions(str(metrics_csv), detector="window", out=str(html)))
    assert png.read_bytes().startswith(b"\x89PNG")
    page = html.read_text()
    assert page.count("<svg") == 2
    assert "ndcg{region=" in page
    assert not re.search(r"<script|src=|<link|@import", page)


def test_wide_tables_have_one_metric_for_each_number_column(tmp_path: Path) -> None:
    path = tmp_path / "wide.parquet"
    table = pa.table(
        {
            "ts": pa.array([0, 86_400_000], pa.timestamp("ms", "UTC")),
            "clicks": [1, 2],
            "ctr": [0.1, 0.2],
        }
    )
    pa.parquet.write_table(table, path)
    read = read_table(str(path))
    columns = assign_columns(read, None, (), None)
    assert (columns.time, columns.values, columns.by) == ("ts", ("clicks", "ctr"), ())
    assert [s.name for s in cut_series(read, columns, "UTC")] == ["clicks", "ctr"]


def test_naive_times_are_local_times_of_the_zone(tmp_path: Path) -> None:
    path = tmp_path / "local.csv"
    path.write_text("time,value\n2026-03-29 01:00:00,1\n2026-03-29 02:30:00,2\n")
    table = read_table(str(path))
    columns = assign_columns(table, None, (), None)
    (series,) = cut_series(table, columns, "Europe/Berlin")
    # 02:30 does not exist on that night: it is the first instant after the gap, 01:00 UTC.
    assert [str(t) for t in series.series.times] == [
        "2026-03-29T00:00:00.000",
        "2026-03-29T01:00:00.000",
    ]


def test_integer_times_are_seconds_or_milliseconds_by_their_size(tmp_path: Path) -> None:
    for name, unit in (("s", 1), ("ms", 1000)):
        path = tmp_path / f"{name}.csv"
        path.write_text(f"ts,value\n{1_700_000_000 * unit},1\n{1_700_086_400 * unit},2\n")
        table = read_table(str(path))
        (series,) = cut_series(table, assign_columns(table, None, (), None), "UTC")
        assert str(series.series.times[0]) == "2023-11-14T22:13:20.000"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (TryOptions("absent.csv"), "there is no such file"),
        (
            TryOptions("{csv}", time="day"),
            "there is no column 'day'; the file has dt, region, ndcg",
        ),
        (TryOptions("{csv}", values=("region",)), "does not hold numbers"),
        (TryOptions("{csv}", detector="prophit"), "type: "),
        (TryOptions("{csv}", detector='{"type": "window", "k": -1}'), "k: "),
        (TryOptions("{csv}", detector="{"), "is not JSON"),
        (TryOptions("{csv}", last="soon"), "allowed are a number and one of m h d w"),
        (TryOptions("{csv}", timezone="Mars/Base"), "is not an IANA name"),
        (TryOptions("{csv}", out="a.xls"), "allowed endings are .csv .parquet .png .html"),
        (TryOptions("{csv}", out="/nowhere/a.csv"), "cannot be written"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_is_allowed(
    metrics_csv: Path, options: TryOptions, message: str
) -> None:
    given = TryOptions(**{**vars(options), "path": options.path.format(csv=metrics_csv)})
    with pytest.raises(TryError, match=re.escape(message)):
        _run(given)


@pytest.mark.parametrize(
    ("content", "message"),
    [("a,b\n", "has no rows"), ("a,b\nx,y\n", "no column looks like a time")],
)
def test_a_file_without_series_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "file.csv"
    path.write_text(content)
    with pytest.raises(TryError, match=message):
        _run(TryOptions(str(path)))


def _written(tmp_path: Path, header: str, rows: list[str]) -> str:
    path = tmp_path / "written.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def test_numbers_with_commas_are_read_and_said(tmp_path: Path) -> None:
    days = _daily(60, drop_at=55)
    european = [f"{day};{f'{v:.4f}'.replace('.', ',')}" for day, v in days]
    text = _run(TryOptions(_written(tmp_path, "dt;ndcg", european), detector="window"))
    assert "in 'ndcg' a comma is the decimal sign" in text
    assert re.search(r"2026-02-25 .* 0\.[23]\d* .*critical", text)
    grouped = [f'{day},"{v * 1e7:,.0f}"' for day, v in days]
    text = _run(TryOptions(_written(tmp_path, "dt,rows", grouped), detector="window"))
    assert "in 'rows' a comma groups thousands" in text
    assert re.search(r"2026-02-25 .*critical", text)


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_times_of_an_epoch_are_read_in_every_unit(tmp_path: Path, unit: int) -> None:
    begin = 1_767_225_600  # 2026-01-01
    rows = [f"{(begin + 86400 * i) * unit},{1 + i % 2}" for i in range(30)]
    text = _run(TryOptions(_written(tmp_path, "ts,v", rows)))
    assert "every 1 d, 2026-01-01 to 2026-01-30" in text


def test_whole_numbers_like_dates_are_dates(tmp_path: Path) -> None:
    rows = [f"{day.replace('-', '')},{v}" for day, v in _daily(40, None)]
    assert "2026-01-01 to 2026-02-09" in _run(TryOptions(_written(tmp_path, "dt,v", rows)))


def test_usual_words_for_no_value_leave_a_column_of_numbers(tmp_path: Path) -> None:
    rows = [f"{day},{'NA' if i == 3 else v}" for i, (day, v) in enumerate(_daily(40, None))]
    assert "value is 'v'" in _run(TryOptions(_written(tmp_path, "dt,v", rows)))


def test_titles_of_pictures_are_plain_text(tmp_path: Path) -> None:
    rows = [f"{day},$\\frac$,{v}" for day, v in _daily(40, None)]
    out = tmp_path / "plain.png"
    _run(TryOptions(_written(tmp_path, "dt,region,v", rows), out=str(out)))
    assert out.stat().st_size > 1000


def _by_model(tmp_path: Path, column: str, kinds: list[str]) -> str:
    days = _daily(60, None)
    rows = [f"{day},{kind},{v + i}" for i, kind in enumerate(kinds) for day, v in days]
    return _written(tmp_path, f"dt,{column},ndcg", rows)


@pytest.mark.parametrize("column", ["model_id", "id", "version", "modelId", "slot"])
def test_whole_numbers_that_name_a_series_are_labels(tmp_path: Path, column: str) -> None:
    text = _run(TryOptions(_by_model(tmp_path, column, ["3", "7"])))
    assert "value is 'ndcg'\n" in text
    assert f"series by '{column}'" in text
    assert "120 rows, 2 series" in text
    assert "repeat a time" not in text


@pytest.mark.parametrize("column", ["bid", "clicks"])
def test_whole_numbers_that_name_nothing_are_values(tmp_path: Path, column: str) -> None:
    rows = [f"{day},{i % 3},{v}" for i, (day, v) in enumerate(_daily(60, None))]
    path = _written(tmp_path, f"dt,{column},ndcg", rows)
    assert f"value is '{column}', 'ndcg', each a metric" in _run(TryOptions(path))


def test_rows_that_repeat_a_time_are_said_with_the_column_that_tells_them_apart(
    tmp_path: Path,
) -> None:
    path = _by_model(tmp_path, "region", ["jp", "tw"])
    given = TryOptions(path, by=())
    said = "60 of 120 rows repeat a time of their series"
    text = re.sub(r"\s+", " ", _run(given))
    assert said in text
    assert "--by region would tell them apart" in text
    answer = json.loads(_run(given, as_json=True))
    assert any(said in sentence for sentence in answer["said"])
    assert "repeat" not in _run(TryOptions(path))


@pytest.mark.parametrize(
    ("encoding", "named"), [("utf-16", "UTF-16"), ("utf-16-le", "UTF-16"), ("latin-1", "Latin-1")]
)
def test_texts_that_are_not_utf8_are_refused_by_name(
    tmp_path: Path, encoding: str, named: str
) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes("dt,région,v\n2026-01-01,à,1\n2026-01-02,à,2\n".encode(encoding))
    with pytest.raises(TryError, match=f"is not UTF-8 but .*{named}.*iconv -f"):
        _run(TryOptions(str(path)))


def test_many_points_are_not_forecast_unless_asked() -> None:
    days = np.arange(400) * 86_400_000
    found = [NamedSeries("v", "v", {}, Series(days, np.ones(400)))] * 501
    chosen, why = choose_detector(found)
    assert chosen == {"type": "window", "season": "day_of_week"}
    assert "200,400 points" in why
    assert choose_detector(found[:500])[0] == {"type": "auto"}


@pytest.mark.parametrize(("fail_on", "code"), [(None, 0), ("major", 1), ("critical", 1)])
def test_a_script_gets_an_exit_code_and_standard_input_is_a_file(
    metrics_csv: Path, fail_on: str | None, code: int
) -> None:
    command = [sys.executable, "-m", "service.cli", "try", "-", "--detector", "window", "--json"]
    command += ["--fail-on", fail_on] if fail_on else []
    done = subprocess.run(
        command, input=metrics_csv.read_bytes(), capture_output=True, check=False, cwd=ROOT
    )
    assert done.returncode == code, done.stderr
    assert json.loads(done.stdout)["series"] == 2


def test_a_calm_file_fails_nothing(tmp_path: Path) -> None:
    rows = [f"{day},{1 + i % 2}" for i, (day, _) in enumerate(_daily(60, None))]
    assert main(["try", _written(tmp_path, "dt,v", rows), "--fail-on", "warning"]) == 0
    assert main(["try", _written(tmp_path, "dt,v", rows), "--fail-on", "much"]) == 64


def test_times_of_no_calendar_are_refused_by_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TryError, match="column 'ts': times must lie between"):
        _run(TryOptions(_written(tmp_path, "ts,v", ["99999999999,1", "99999999998,2"])))


def test_a_point_is_explained_step_by_step(metrics_csv: Path) -> None:
    time = "2026-07-15"
    options = TryOptions(str(metrics_csv), detector="window", explain=time)
    text = _run(options)
    assert 'ndcg{region="jp"} at 2026-07-15T00:00:00Z' in text
    for words in (
        "The window from Wed 2026-06-17 to Tue 2026-07-14 holds 28 points.",
        "below that",
        "An anomaly, critical",
        "Not an anomaly: the score is",
    ):
        assert words in text, words
    told = json.loads(_run(options, as_json=True))["explanations"]
    assert [one["series"] for one in told] == ['ndcg{region="jp"}', 'ndcg{region="tw"}']
    assert replay(Explanation.from_dict(told[0])).is_anomaly
    assert "explanations" not in json.loads(_run(TryOptions(str(metrics_csv)), as_json=True))


@pytest.mark.parametrize(
    ("time", "said"), [("2026-07-15T12:00", "nearest are at"), ("noon", "give a date or a time")]
)
def test_a_time_without_a_point_cannot_be_explained(
    metrics_csv: Path, time: str, said: str
) -> None:
    with pytest.raises(TryError, match=said):
        _run(TryOptions(str(metrics_csv), explain=time))


def test_times_to_explain_are_read_in_the_zone_of_the_file(metrics_csv: Path) -> None:
    options = TryOptions(str(metrics_csv), detector="window", timezone="Asia/Tokyo")
    for time in ("2026-07-15", "2026-07-15T00:00", "2026-07-14T15:00:00Z"):
        text = _run(replace(options, explain=time))
        assert "The value of Wed 2026-07-15 (Asia/Tokyo) is" in text
