"""Answers of Twitter's R package, call by call: `data/sesd` and `data/nab` hold what it said."""

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors import Series
from detectors.errors import DetectorError
from detectors.seasonal_esd import SeasonalESD, seasonal_hybrid_esd
from detectors.series import Floats

Case = dict[str, Any]

DIRECTIONS = {"pos": "up", "neg": "down", "both": "both"}
NOT_REPRODUCIBLE = "artificialWithAnomaly/art_increase_spike_density.csv"  # R ranks rounding there


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> list[Case]:
    found: list[Case] = json.loads((shared_data / "sesd" / "cases.json").read_text())
    assert len(found) == 58
    return found


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def read(shared_data: Path, name: str) -> tuple[Any, Floats]:
    """Times, made up for the one series without, and values."""
    rows = table(shared_data / "sesd" / "series" / f"{name}.csv")
    values = np.array([np.nan if row["count"] == "NA" else float(row["count"]) for row in rows])
    if "timestamp" in rows[0]:
        return np.array([row["timestamp"] for row in rows], "datetime64[ms]"), values
    five_minutes = np.arange(len(rows)) * np.timedelta64(5, "m")
    return np.datetime64("2024-01-01", "ms") + five_minutes, values


def wanted_rows(case: Case, times: Any) -> list[int] | None:
    """Row numbers of the anomalies; None for a refusal."""
    if "error" in case:
        return None
    if case["fn"] == "AnomalyDetectionVec":
        return [row["index0"] for row in case["anomalies"]]
    stamps = np.array([row["timestamp"] for row in case["anomalies"]], "datetime64[ms]")
    return [int(row) for row in np.searchsorted(times, stamps)]


def function_rows(case: Case, values: Floats) -> list[int] | None:
    args = case["args"]
    try:
        rows = seasonal_hybrid_esd(
            values,
            period=args["period"],
            max_anomalies=args["max_anoms"],
            alpha=args.get("alpha", 0.05),
            direction=DIRECTIONS[args["direction"]],  # type: ignore[arg-type]
            chunk=args.get("longterm_period"),
            threshold=args.get("threshold"),
        )
    except DetectorError:
        return None
    return [
        int(row) for row in rows if not args.get("only_last") or row >= len(values) - args["period"]
    ]


def detector_of(case: Case, compat: str | None) -> SeasonalESD:
    args = case["args"]
    return SeasonalESD(
        period=args.get("period"),
        max_anomalies=args["max_anoms"],
        alpha=args.get("alpha", 0.05),
        direction=DIRECTIONS[args["direction"]],  # type: ignore[arg-type]
        longterm=timedelta(days=14) if args.get("longterm") else args.get("longterm_period"),
        threshold=args.get("threshold"),
        compat=compat,  # type: ignore[arg-type]
    )


def start_of(case: Case, times: Any) -> Any:
    """First time that R's only_last reports."""
    last = case["args"].get("only_last")
    if last is True:
        return times[-case["args"]["period"]]
    spans = {"day": np.timedelta64(1, "D"), "hr": np.timedelta64(1, "h")}
    return times[-1] - spans[last] + np.timedelta64(1, "ms") if last else None


def test_the_function_finds_the_same_rows(shared_data: Path, cases: list[Case]) -> None:
    calls = [case for case in cases if case["fn"] == "AnomalyDetectionVec"]
    assert len(calls) == 45
    for case in calls:
        times, values = read(shared_data, case["series"])
        assert function_rows(case, values) == wanted_rows(case, times), case["id"]


@pytest.mark.parametrize("compat", ["twitter", None])
def test_the_detector_finds_the_same_rows_and_expects_the_same_values(
    shared_data: Path, cases: list[Case], compat: str | None
) -> None:
    for case in cases:
        times, values = read(shared_data, case["series"])
        wanted = wanted_rows(case, times)
        detector, one = detector_of(case, compat), Series(times, values)
        if wanted is None and compat:
            with pytest.raises(DetectorError):
                detector.detect(one)
            continue
        result = detector.detect(one, start_of(case, times))
        if wanted is None:
            assert not result.judged.any(), case["id"]
            continue
        found = np.searchsorted(times, result.times[result.is_anomaly])
        assert found.tolist() == wanted, case["id"]
        assert result.expected_trend is not None
        expected = np.trunc(result.expected_trend[result.is_anomaly])
        assert expected.tolist() == [row["expected_value"] for row in case["anomalies"]], case["id"]


def test_57_of_the_58_files_of_nab_have_the_same_rows(shared_data: Path) -> None:
    flags: dict[str, list[int]] = json.loads(
        (shared_data / "nab" / "twitter_advec_flags.json").read_text()
    )
    different = []
    for name, rows in flags.items():
        rows_of_file = table(shared_data / "nab" / "data" / name)
        values = np.array([float(row["value"]) for row in rows_of_file])
        if seasonal_hybrid_esd(values, 150, max_anomalies=0.002).tolist() != rows:
            different.append(name)
    assert len(flags) == 58
    assert different == [NOT_REPRODUCIBLE]
