"""What a run wrote, wherever it ran: two runs of one request must agree on it."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from storage.index import AnomalyQuery
from storage.stores import Stores, open_stores
from tests.workflows.world import (
    END,
    ONE_AT_A_TIME,
    SOURCE,
    START,
    storage_settings,
    write_daily,
)
from workflows.context import write_request
from workflows.report import read_report
from workflows.request import RunRequest
from workflows.step_entry import StepCall, StepWorld, run_step

# Names of attempts and times of writing; the run and its generation are the same here.
_OWN = ("written_at_ms",)
_TOLERANCE = 1e-9


def documents(stores: Stores, rule: str) -> dict[str, Any]:
    """Everything of a rule that a single run has written."""
    query = AnomalyQuery(source=SOURCE, rule=rule)
    page = stores.index.search_anomalies(query, 1000)
    assert page.cursor is None
    anomalies = [
        {name: value for name, value in vars(one).items() if name not in _OWN} for one in page.items
    ]
    series = sorted({str(one["series"]) for one in anomalies})
    report = read_report(stores.objects, rule)
    assert report is not None
    results = stores.archive.read_results(SOURCE, rule, START, END).to_pylist()
    return {
        "anomalies": anomalies,
        "bands": [vars(band) for band in stores.index.bands(SOURCE, series, rule)],
        "results": sorted(results, key=lambda row: (row["series"], row["ts"])),
        "report": vars(replace(report, changes=None, results=None)),
    }


def embedded(folder: Path, request: RunRequest, series: int) -> dict[str, Any]:
    """The same request in a folder of this machine."""
    storage = storage_settings(folder)
    world = StepWorld(storage, ONE_AT_A_TIME)
    with open_stores(storage) as stores:
        write_daily(stores, series)
        write_request(stores.objects, request)
        assert run_step(StepCall("plan", request.run), world).exit_code == 0
        assert run_step(StepCall("publish", request.run), world).exit_code == 0
        return documents(stores, request.rule or "")


def same(one: Any, other: Any, where: str = "") -> None:
    """Equal, but floats within a relative difference."""
    if isinstance(one, float) and isinstance(other, float):
        close = math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
        assert close or (math.isnan(one) and math.isnan(other)), f"{where}: {one} and {other}"
    elif isinstance(one, dict):
        assert set(one) == set(other), where
        for key in one:
            same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), f"{where}: {len(one)} and {len(other)}"
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            same(left, right, f"{where}[{number}]")
    else:
        assert one == other, f"{where}: {one!r} and {other!r}"
