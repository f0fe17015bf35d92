"""Every row of the table."""

from functools import partial
from typing import Any

from benchmarks.detectors import checks
from benchmarks.detectors.data import breaking_trends, long_form, seasonal, student_factor
from benchmarks.detectors.environments import OURS
from benchmarks.detectors.examples import types
from benchmarks.detectors.goals import GOALS
from benchmarks.detectors.row import Given, Row
from benchmarks.detectors.side import Fixed, Started, Worker

LONG, DAYS, MATRIX = 14_398, 730, (1_000, 10_000)
WINDOW = 28

_IMPORT = (
    "import time; wall, begin = time.perf_counter(), time.process_time(); import {}; "
    "print(time.perf_counter() - wall, time.process_time() - begin)"
)


def ours(work: str, series: int, title: str = "Lupus") -> Worker:
    return Worker(title, OURS, "benchmarks.detectors.ours", work, series)


def peer(name: str, work: str, series: int, title: str = "", environment: str = "") -> Worker:
    module = f"benchmarks.peers.{name}"
    return Worker(title or name, environment or name, module, work, series)


def _long(share: float) -> Given:
    facts = {"period": 1_440, "max_anomalies": share, "alpha": 0.05, "step": "m"}
    return Given(seasonal(1, LONG, 1_440, 100), facts)


def _daily(share: float) -> Given:
    facts = {"period": 7, "max_anomalies": share, "alpha": 0.05, "step": "D"}
    return Given(seasonal(1_000, DAYS, 7, 8), facts)


def seasonal_esd() -> tuple[Row, ...]:
    r = "R's stl + ESD loop"
    pairs = ((0.02, "k = .02", "k02"), (0.1, "k = .1", "k10"))
    long = (
        Row(
            f"esd-long-{tag}-r", f"seasonal ESD, one series of 14,398, period 1,440, {k}",
            ours("seasonal_esd", 1), peer("r", "seasonal_esd", 1, r), checks.same_rows,
            GOALS[f"seasonal ESD, n = 14,398, {k}, against R"], partial(_long, share), 5,
        )
        for share, k, tag in pairs
    )  # fmt: skip
    daily = (
        Row(
            f"esd-daily-{tag}-r", f"seasonal ESD, 1,000 series of 730, period 7, {k}",
            ours("seasonal_esd", 1_000), peer("r", "seasonal_esd", 50, r), checks.same_rows,
            GOALS[f"seasonal ESD, 1,000 series, {k}, against R"], partial(_daily, share), 5,
        )
        for share, k, tag in pairs
    )  # fmt: skip
    port = (
        Row(
            f"esd-daily-{tag}-pyculiarity", f"the same, {k}",
            ours("seasonal_esd", 1_000), peer("pyculiarity", "seasonal_esd", 3), checks.same_rows,
            GOALS["seasonal ESD, 1,000 series, against pyculiarity"], partial(_daily, share), 3,
        )
        for share, k, tag in pairs
    )  # fmt: skip
    stl = Row(
        "esd-long-k02-statsmodels", "seasonal ESD, one series of 14,398, period 1,440, k = .02",
        ours("seasonal_esd", 1),
        peer("statsmodels", "seasonal_esd", 1, "statsmodels' STL + ESD loop"), checks.same_rows,
        None, partial(_long, 0.02), 3,
    )  # fmt: skip
    return (*long, *daily, *port, stl)


def _trends(gaps: int, mode: str) -> Given:
    # A level less its minimum is no level that a season could multiply.
    scaling = "minmax" if mode == "additive" else "absmax"
    facts = {
        "interval_width": 0.997,
        "seasonality_mode": mode,
        "scaling": scaling,
        "step": "D",
    }
    return Given(breaking_trends(1_000, DAYS, gaps), facts)


def prophet() -> tuple[Row, ...]:
    fit = peer("prophet", "fit_and_predict", 20, "Prophet().fit + predict")
    grid = partial(_trends, 0, "additive")
    what = "Prophet fit + interval, 1,000 daily series of 730"
    goal = GOALS["Prophet, 1,000 series, against the package"]
    smoothing = peer("statsforecast", "fit_and_predict", 20, "statsforecast's AutoETS, AAA")
    return (
        Row("prophet", f"{what}, one grid", ours("prophet", 1_000), fit,
            checks.same_forecasts, goal, grid, 5),
        Row("prophet-gaps", f"{what}, each with gaps of its own", ours("prophet", 1_000), fit,
            checks.same_forecasts, None, partial(_trends, 8, "additive"), 3),
        Row("prophet-multiplicative", f"{what}, multiplicative", ours("prophet", 50), fit,
            checks.same_forecasts, None, partial(_trends, 0, "multiplicative"), 3),
        Row("prophet-statsforecast", f"{what}, one grid", ours("prophet", 1_000), smoothing,
            checks.another_model, None, grid, 3),
    )  # fmt: skip


def _matrix(**facts: Any) -> Given:
    values = seasonal(*MATRIX, 24, 10)
    values -= values.mean(axis=1, keepdims=True)
    return Given(values, {"step": "h", **facts})


def matrices() -> tuple[Row, ...]:
    bounds, window = partial(_matrix, lower=-8.0, upper=8.0), partial(_matrix, window=168)
    series = MATRIX[0]
    copy = peer("numpy", "copy", series, "np.copyto", OURS)
    what = "rolling z, 1,000 series of 10,000, window 168"
    return (
        Row("threshold-copy", "threshold, flags and scores, 1,000 series of 10,000",
            ours("threshold", series), copy, checks.same_scores,
            GOALS["threshold over a matrix, against a copy"], bounds),
        Row("rolling-z-bottleneck", what, ours("rolling_z", series),
            peer("bottleneck", "rolling_z", series, "bottleneck's mean + std"),
            checks.same_moments, GOALS["rolling z, against bottleneck"], window, 3),
        Row("rolling-z-polars", what, ours("rolling_z", series),
            peer("polars", "rolling_z", series, "polars' mean + std"),
            checks.same_moments, None, window, 3),
    )  # fmt: skip


def processes() -> tuple[Row, ...]:
    """What a process of its own must show: the time of an import, and peaks of memory."""
    numpy, detectors = (
        Started(f"import {name}", ("-c", _IMPORT.format(name)), {})
        for name in ("numpy", "detectors")
    )
    importing = Row(
        "import", "import detectors", detectors, numpy, checks.nothing,
        GOALS["import, against numpy's"], rounds=20,
    )  # fmt: skip
    values = Fixed("8 MB of values", 8e6, {})
    module = "benchmarks.detectors.memory"
    return importing, *(
        Row(
            f"memory-{type_}", f"growth of peak memory per million points, {type_}",
            Started("Lupus", ("-m", module, type_), {}), values, checks.nothing,
            GOALS["growth of peak memory, against the values"], rounds=1, unit="B",
        )
        for type_ in types()
    )  # fmt: skip


def _parquet(series: int) -> Given:
    facts = {"window": WINDOW, "k": student_factor(WINDOW), "period": 7, "max_anomalies": 0.02,
             "alpha": 0.05}  # fmt: skip
    return Given(seasonal(series, DAYS, 7, 8), facts, long_form)


def end_to_end() -> tuple[Row, ...]:
    many, few = 2_000, 50

    def side(work: str, series: int) -> Worker:
        return Worker("Lupus", OURS, "benchmarks.detectors.parquet", work, series)

    def other(name: str, work: str, series: int, title: str, environment: str = "") -> Worker:
        return peer(name, f"{work}from_parquet", series, title, environment)

    z = "long-form Parquet to flags, 2,000 series of 730, rolling z"
    return (
        Row("parquet-z-pandas", z, side("window", many),
            other("pandas", "window_", many, "pandas + a loop over groups"),
            checks.same_flags, None, partial(_parquet, many), 3),
        Row("parquet-z-polars", z, side("window", many),
            other("polars", "window_", many, "polars' rolling over groups"),
            checks.same_flags, None, partial(_parquet, many), 5),
        Row("parquet-esd-pandas", "long-form Parquet to flags, 50 series of 730, seasonal ESD",
            side("seasonal_esd", few),
            other("pandas", "seasonal_esd_", few, "pandas + statsmodels' STL + ESD loop"),
            checks.similar_flags, None, partial(_parquet, few), 3),
        Row("parquet-read", "reading long-form Parquet in order, 2,000 series of 730",
            side("read", many), peer("duckdb", "read", many, "DuckDB's read + sort", OURS),
            checks.same_count, None, partial(_parquet, many), 5),
    )  # fmt: skip


ROWS = (*seasonal_esd(), *prophet(), *matrices(), *processes(), *end_to_end())
