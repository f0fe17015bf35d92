"""Imports from a real MLflow server: what arrives, what comes late, a kill, a release."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from service.mlflow.mapping import Naming
from tests.conftest import ROOT
from tests.real import own_name, server
from tests.service.api.house import House
from tests.service.mlflow_importing import imported, stored
from tests.service.mlflow_tracker import DAY_MS, FIRST_MS, Tracker
from tests.service.served import Served, served
from tests.waiting import until

pytestmark = pytest.mark.real


@pytest.fixture
def tracker() -> Iterator[Tracker]:
    with closing(Tracker(server("LUPUS_TEST_MLFLOW_URL"))) as one:
        yield one


def test_runs_become_points_at_their_ends(idle: House, tracker: Tracker) -> None:
    source, name = idle.source(own_name("mlflow-")), own_name("rank ")
    experiment = tracker.experiment(name)
    metrics = {"auc": 0.9, "val/loss": 0.2, "nan": math.nan, "inf": math.inf, "system/cpu": 1.0}
    for day in range(7):
        tracker.run(
            experiment,
            FIRST_MS + day * DAY_MS + 5,
            {**metrics, "auc": 0.9 + day},
            {"training_rows": str(1000 + day), "kind": "tree"},
        )
    deleted = tracker.run(experiment, FIRST_MS + 5, {"gone": 1.0})
    tracker.call("runs/delete", run_id=deleted)
    tracker.run(experiment, None, {"unfinished": 1.0})
    naming = Naming(source, params=("training_rows", "kind"), prefix="ml.")
    one = imported(idle, tracker.url, source, naming, experiments=(name,), models=())
    ends = [FIRST_MS + day * DAY_MS + 5 for day in range(7)]
    inside = f'{{experiment="{name}"}}'
    counts = f'mlflow.runs{{experiment="{name}",experiment_id="{experiment}"}}'
    assert stored(idle.http, source) == {
        f"ml.auc{inside}": {end: 0.9 + day for day, end in enumerate(ends)},
        f"ml.val/loss{inside}": dict.fromkeys(ends, 0.2),
        f"ml.training_rows{inside}": {end: 1000 + day for day, end in enumerate(ends)},
        counts: {FIRST_MS + day * DAY_MS: 1 for day in range(7)},
    }
    assert one.done.runs == 7
    assert dict(naming.left_out.counts) == {"not a number": 14, "infinite": 7}


def test_late_values_are_found_within_the_overlap_and_others_by_since(
    idle: House, tracker: Tracker
) -> None:
    source, name = idle.source(own_name("mlflow-")), own_name("rank")
    experiment = tracker.experiment(name)
    runs = [
        tracker.run(experiment, FIRST_MS + day * DAY_MS, {"auc": 0.9}) for day in (0, 10, 11, 12)
    ]
    chosen: dict[str, Any] = {"experiments": (f"{name}*",), "models": ()}
    assert imported(idle, tracker.url, source, **chosen).done.runs == 4
    for run in runs:
        tracker.log(run, [("late", 1.0, FIRST_MS + 20 * DAY_MS)])
    tracker.run(experiment, FIRST_MS + 11 * DAY_MS + 7, {"auc": 0.7})
    tracker.call("experiments/update", experiment_id=experiment, new_name=f"{name} renamed")

    assert imported(idle, tracker.url, source, **chosen).done.runs == 3
    late, auc = f'late{{experiment="{name}"}}', f'auc{{experiment="{name}"}}'
    found = stored(idle.http, source)
    assert found[late] == {FIRST_MS + day * DAY_MS: 1.0 for day in (11, 12)}
    assert found[auc][FIRST_MS + 11 * DAY_MS + 7] == 0.7
    assert not [series for series in found if "renamed" in series]

    imported(idle, tracker.url, source, **chosen, since_ms=FIRST_MS)
    assert len(stored(idle.http, source)[late]) == 4


def test_histories_go_on_where_they_were(idle: House, tracker: Tracker) -> None:
    source, name = idle.source(own_name("mlflow-")), own_name("online")
    experiment = tracker.experiment(name)
    run = tracker.run(experiment, None, {})
    tracker.log(run, [("ctr", 0.1 + day, FIRST_MS + day * DAY_MS) for day in range(5)])
    naming = Naming(source, histories=("ctr",))
    chosen: dict[str, Any] = {"experiments": (name,), "models": (), "naming": naming}
    series = f'ctr{{experiment="{name}",run="{run}"}}'
    first = imported(idle, tracker.url, source, **chosen)
    assert len(stored(idle.http, source)[series]) == 5
    tracker.log(run, [("ctr", 0.5 + day, FIRST_MS + day * DAY_MS) for day in (5, 6)])
    imported(idle, tracker.url, source, **chosen)
    assert stored(idle.http, source)[series] == {
        FIRST_MS + day * DAY_MS: (0.1 if day < 5 else 0.5) + day for day in range(7)
    }
    assert first.done.runs == 0


def test_a_killed_import_and_the_next_are_one_whole_import(
    tracker: Tracker, tmp_path: Path
) -> None:
    name = own_name("killed")
    experiment = tracker.experiment(name)
    for day in range(12):
        for hour in range(2):
            end = FIRST_MS + day * DAY_MS + hour * 3_600_000
            tracker.run(experiment, end, {"auc": 0.9 + day, "loss": 0.1 * hour})
    with served(tmp_path / "data", {"LUPUS_WORKER": "false"}) as service:
        for source in ("whole", "killed"):
            service.http.put(f"/v1/sources/{source}", json={"kind": "managed"})
        slow = _command(service, tracker, "killed", name, "--per-second", "2")
        until(lambda: stored(service.http, "killed"), what="nothing was stored")
        assert slow.poll() is None, "it was too quick to be killed"
        os.kill(slow.pid, signal.SIGKILL)
        slow.wait()
        half = stored(service.http, "killed")
        for source in ("killed", "whole"):
            done = _command(service, tracker, source, name)
            assert done.wait(300) == 0
        whole = stored(service.http, "whole")
        assert stored(service.http, "killed") == whole
    counts = f'mlflow.runs{{experiment="{name}",experiment_id="{experiment}"}}'
    assert whole[counts] == {FIRST_MS + day * DAY_MS: 2 for day in range(12)}
    assert 0 < len(half[counts]) < 12


def _command(
    service: Served, tracker: Tracker, source: str, name: str, *more: str
) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "service.cli", "mlflow-import", "--source", source]
    words += ["--experiment", name, "--model", "none", "--page", "2", *more]
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("LUPUS_")},
        "PYTHONPATH": str(ROOT),
        "LUPUS_URL": str(service.http.base_url),
        "MLFLOW_TRACKING_URI": tracker.url,
    }
    return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)


def test_a_new_version_is_a_release_and_its_series_is_judged_across_it(
    working: House, tracker: Tracker
) -> None:
    source, model = working.source(own_name("mlflow-")), own_name("ranker")
    tracker.model(model)
    experiment = tracker.experiment(model)
    run = tracker.run(experiment, FIRST_MS, {"auc": 0.9}, {"training_rows": "1000"})
    versions = [tracker.version(model, run) for _ in range(2)]
    released_ms = versions[1][1]
    first = (int(time.time() * 1000) // DAY_MS - 60) * DAY_MS
    days = [_online(model, "1", first + day * DAY_MS, 0.40 + 0.01 * (day % 3)) for day in range(60)]
    release_day = released_ms - released_ms % DAY_MS + DAY_MS  # the first whole day
    working.send(source, [*days, _online(model, "2", release_day, 0.22)])

    naming = Naming(source, params=("training_rows",))
    chosen: dict[str, Any] = {
        "experiments": (),
        "models": (model,),
        "naming": naming,
        "release_to": (source,),
    }
    assert imported(working, tracker.url, source, **chosen).done.releases == 2
    assert imported(working, tracker.url, source, **chosen).done.releases == 0
    found = stored(working.http, source)
    for number, created_ms in versions:
        assert found[f'auc{{model="{model}",version="{number}"}}'] == {created_ms: 0.9}
        assert found[f'training_rows{{model="{model}",version="{number}"}}'] == {created_ms: 1000}
    events = working.call("GET", f"/v1/sources/{source}/events")["items"]
    assert [one["name"] for one in events] == [f"{model} 1", f"{model} 2"]
    assert events[1]["link"].endswith(f"/#/models/{model}/versions/2")

    run_ = working.detect(
        {
            "source": source,
            "rule": "online",
            "metric": "ctr",
            "join": ["version"],
            "range": {"start": _text(release_day), "end": _text(release_day + DAY_MS)},
            "detector": {"type": "window"},
        }
    )
    assert run_["counts"]["new"] == 1, run_
    found_anomalies = working.call("GET", "/v1/anomalies", params={"source": source})["items"]
    assert [one["name"] for one in found_anomalies] == [f'ctr{{model="{model}"}}']


def _online(model: str, version: str, time_ms: int, value: float) -> dict[str, object]:
    labels = {"model": model, "version": version}
    return {"metric": "ctr", "labels": labels, "time": _text(time_ms), "value": value}


def _text(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()
