"""From the request to the anomalies, with every detector."""

import math
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from service.database.runs import get_run
from tests.service.api.house import House, daily, detection
from workflows.commits import run_root
from workflows.failure import Failure, record_failure

DAYS = 150
START_MS = 1_767_225_600_000  # 2026-01-01
DROP = 140  # 2026-10-19


def _values() -> list[float]:
    """A weekly wave with some noise, and a drop on one day."""
    values = [
        0.4 + 0.02 * math.sin(2 * math.pi * d / 7) + 0.003 * math.cos(9 * d) for d in range(DAYS)
    ]
    values[DROP] = 0.1
    return values


@pytest.fixture(scope="module")
def source(working: House) -> str:
    name = working.source("det.quality", metrics={"ndcg@10": {"good": "up"}})
    working.send(name, daily(_values(), labels={"region": "jp"}))
    return name


@pytest.mark.parametrize(
    "detector",
    [
        {"type": "threshold", "lower": 0.2},
        {"type": "window", "method": "robust"},
        {"type": "prophet"},
        {"type": "seasonal_esd", "period": "7d"},
        {"type": "auto"},
    ],
    ids=lambda detector: str(detector["type"]),
)
def test_every_detector_finds_the_drop(
    working: House, source: str, detector: dict[str, Any]
) -> None:
    rule = f"drop-{detector['type']}"
    run = working.detect(detection(source, rule=rule, detector=detector))
    assert run["state"] == "succeeded", (run["counts"], run["failures"])
    assert run["counts"]["series"] == 1
    assert run["counts"]["judged"] == 21
    taken = run["chosen"] or {}
    assert list(taken.values()) == ([1] if detector["type"] == "auto" else [])
    found = working.call("GET", "/v1/anomalies", params={"source": source, "rule": rule})["items"]
    drops = [one for one in found if one["time"] == "2026-10-19T00:00:00Z"]
    assert len(drops) == 1
    assert drops[0]["name"] == 'ndcg@10{region="jp"}'
    assert drops[0]["value"] == 0.1
    assert drops[0]["detector"] == detector["type"]
    assert drops[0]["run"] == run["id"]
    assert drops[0]["verdict"] == "none"
    series = working.call("GET", f"/v1/detections/{run['id']}/series")["items"]
    assert [(one["judged"], one["error"]) for one in series] == [(21, None)]


def test_good_up_watches_for_drops_only(working: House, source: str) -> None:
    run = working.detect(detection(source, rule="good-up", detector={"type": "window"}))
    assert run["detector"]["direction"] == "down"
    assert run["detector"]["min_rel_change"] == 0.01


def test_a_verdict_survives_a_rerun_over_the_same_absolute_range(
    working: House, source: str
) -> None:
    first = working.detect(detection(source, rule="again"))
    anomaly = working.call("GET", "/v1/anomalies", params={"run": first["id"]})["items"][0]
    path = f"/v1/anomalies/{anomaly['id']}"
    said = working.call("PATCH", path, json={"verdict": "expected", "comment": "a release"})
    assert (said["verdict"], said["verdict_by"]) == ("expected", "local")
    again = working.call("POST", f"/v1/detections/{first['id']}/rerun", 202)
    assert again["rerun_of"] == first["id"]
    ended = working.call("GET", f"/v1/detections/{again['id']}", params={"wait": "60s"})
    assert ended["state"] == "succeeded"
    assert ended["range"] == first["range"]
    assert (ended["counts"]["new"], ended["counts"]["unchanged"]) == (0, 1)
    kept = working.call("GET", path)
    assert (kept["verdict"], kept["comment"]) == ("expected", "a release")
    only_comment = working.call("PATCH", path, json={"comment": "two releases"})
    assert (only_comment["verdict"], only_comment["comment"]) == ("expected", "two releases")


def test_store_false_judges_and_keeps_nothing(working: House, source: str) -> None:
    body = detection(source, store=False)
    del body["rule"]
    run = working.detect(body)
    assert run["state"] == "succeeded"
    assert run["counts"]["anomalous"] == 1
    assert not working.call("GET", "/v1/anomalies", params={"run": run["id"]})["items"]


def test_versions_of_a_model_are_judged_as_one_series(working: House) -> None:
    name = working.source("det.release")
    values = [0.4 + 0.004 * (day % 5) for day in range(60)]
    values[45:] = [value - 0.2 for value in values[45:]]
    for model, part in (("v9", slice(0, 45)), ("v10", slice(45, 60))):
        points = daily(values, labels={"region": "jp", "model": model})
        working.send(name, points[part])
    body = detection(
        name,
        join=["model"],
        labels={"model": ["!"]},
        range={"start": "2026-07-13", "end": "2026-07-20"},
        detector={"type": "window"},
    )
    counted = working.call("POST", "/v1/detections", json=body, params={"dry_run": "true"})
    assert (counted["series"], counted["points"]) == (1, 28 + 7 + 1)
    run = working.detect(body)
    assert (run["state"], run["counts"]["series"]) == ("succeeded", 1)
    found = working.call("GET", "/v1/anomalies", params={"run": run["id"]})["items"]
    assert min(one["time"] for one in found) == "2026-07-16T00:00:00Z"
    assert {one["name"] for one in found} == {'ndcg@10{region="jp"}'}
    asked = {"series": found[0]["name"], "time": found[0]["time"]}
    why = working.call("GET", f"/v1/detections/{run['id']}/explain", params=asked)
    assert why["agrees"] is True
    report = working.http.get(f"/v1/detections/{run['id']}/report").text
    assert "Joined over" in report
    asked = {"source": name, "metric": "ndcg@10", "labels": "model=", "start": "2026-06-01"}
    chart = working.call("GET", "/v1/points", params={**asked, "end": "2026-09-01"})
    assert [one["points"] for one in chart["items"]] == [7]


def test_what_is_joined_over_is_the_name_of_a_label(working: House, source: str) -> None:
    refused = working.call("POST", "/v1/detections", 422, json=detection(source, join=["my model"]))
    assert refused["errors"][0]["pointer"] == "/join/0"


def test_a_dry_run_counts_and_accepts_nothing(working: House, source: str) -> None:
    before = working.call("GET", "/v1/detections", params={"source": source})["items"]
    found = working.call(
        "POST", "/v1/detections", json=detection(source), params={"dry_run": "true"}
    )
    assert found["series"] == 1
    # The catalog's 28 days before the range, and the range itself as far as there are points.
    assert found["points"] == 21 + 28
    assert found["chunks"] == 1
    assert found["core_seconds"] > 0
    assert found["range"] == {"start": "2026-10-08T00:00:00Z", "end": "2026-10-29T00:00:00Z"}
    assert working.call("GET", "/v1/detections", params={"source": source})["items"] == before


def test_a_run_for_which_history_is_too_short_says_from_when_on_it_can_judge(
    working: House,
) -> None:
    name = working.source("det.young", timezone="Asia/Tokyo")
    working.send(name, daily([0.4 + 0.001 * (day % 3) for day in range(10)]))
    days = {"start": "2026-06-08", "end": "2026-06-11"}
    run = working.detect(detection(name, range=days, detector={"type": "prophet"}))
    assert (run["state"], run["counts"]["judged"]) == ("partial", 0)
    assert "1 series has too short a history; it can be judged from" in run["error"]
    ready = datetime.fromisoformat(run["ready_at"])
    assert ready > datetime(2026, 6, 11, tzinfo=UTC)
    local = ready.astimezone(ZoneInfo("Asia/Tokyo"))
    assert f"{local:%a} {local.day} {local:%b %Y}" in run["error"]


def test_a_metric_that_does_not_exist_ends_partial_and_says_so(working: House, source: str) -> None:
    run = working.detect(detection(source, rule="nothing", metric="nothing"))
    assert run["state"] == "partial"
    assert run["counts"]["series"] == 0


def test_lists_are_paged_newest_first(working: House, source: str) -> None:
    ids = [working.detect(detection(source, rule=f"page-{n}"))["id"] for n in range(3)]
    first = working.call("GET", "/v1/detections", params={"source": source, "limit": 2})
    assert [run["id"] for run in first["items"]] == [ids[2], ids[1]]
    second = working.call(
        "GET",
        "/v1/detections",
        params={"source": source, "limit": 2, "cursor": first["cursor"]},
    )
    assert second["items"][0]["id"] == ids[0]


def test_charts_show_points_band_and_anomaly(working: House, source: str) -> None:
    working.detect(detection(source, rule="chart", detector={"type": "window"}))
    query = {
        "source": source,
        "metric": "ndcg@*",
        "rule": "chart",
        "start": "2026-06-01",
        "end": "2026-11-10",
        "max_points": 12,
    }
    chart = working.call("GET", "/v1/points", params=query)["items"][0]
    assert chart["points"] == DAYS
    assert len(chart["times_ms"]) <= 12
    assert min(chart["values"]) == 0.1, "the drop survives downsampling"
    assert [one["time"] for one in chart["anomalies"]] == ["2026-10-19T00:00:00Z"]
    assert [band["rule"] for band in chart["bands"]] == ["chart"]
    assert 2 <= len(chart["bands"][0]["times_ms"]) <= 12


def test_metrics_count_runs_chunks_and_requests(working: House, source: str) -> None:
    working.detect(detection(source, rule="counted"))
    text = working.http.get("/metrics").text
    assert 'lupus_runs{state="succeeded"}' in text
    assert f'lupus_rule_last_success_timestamp{{rule="counted",source="{source}"}}' in text
    assert 'route="/v1/detections/{detection}"' in text
    chunks = next(
        line for line in text.splitlines() if line.startswith("lupus_chunk_seconds_count")
    )
    assert float(chunks.split()[1]) >= 1
    assert "ndcg@10" not in text, "no series stands in a label"


class TestWaitingInTheQueue:
    """Without a worker a run stays queued."""

    @pytest.fixture
    def queued(self, idle: House) -> dict[str, Any]:
        idle.source("det.idle")
        return idle.call("POST", "/v1/detections", 202, json=detection("det.idle"))

    def test_it_is_accepted_with_its_place(self, idle: House, queued: dict[str, Any]) -> None:
        answer = idle.http.post("/v1/detections", json=detection("det.idle", rule="second"))
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/v1/detections/{answer.json()['id']}"
        assert answer.json()["state"] == "queued"
        assert answer.json()["queue"]["ahead"] >= 1

    def test_what_was_said_when_it_was_accepted_is_what_is_stored(
        self, idle: House, queued: dict[str, Any]
    ) -> None:
        assert idle.call("GET", f"/v1/detections/{queued['id']}") == queued
        again = idle.call("POST", f"/v1/detections/{queued['id']}/rerun", 202)
        assert idle.call("GET", f"/v1/detections/{again['id']}") == again
        assert again["queue"]["ahead"] == queued["queue"]["ahead"] + 1

    def test_accepting_is_one_look_and_one_change(self, idle: House) -> None:
        """Each statement costs all callers a part of a core."""
        idle.source("det.cost")
        idle.call("POST", "/v1/detections", 202, json=detection("det.cost"))
        said: list[str] = []

        def hear(*told: Any) -> None:
            said.append(told[2])

        engine = idle.resources.database.engine
        event.listen(engine, "before_cursor_execute", hear)
        try:
            idle.call("POST", "/v1/detections", 202, json=detection("det.cost", rule="b"))
        finally:
            event.remove(engine, "before_cursor_execute", hear)
        assert said.count("BEGIN") == 1, "the change begins in another way"
        assert len(said) <= 10, said

    def test_waiting_ends_with_the_patience(self, idle: House, queued: dict[str, Any]) -> None:
        run = idle.call("GET", f"/v1/detections/{queued['id']}", params={"wait": "150ms"})
        assert run["state"] == "queued"

    def test_cancel_ends_it_and_is_repeatable(self, idle: House, queued: dict[str, Any]) -> None:
        path = f"/v1/detections/{queued['id']}/cancel"
        assert idle.call("POST", path, 202)["state"] == "cancelled"
        assert idle.call("POST", path, 202)["state"] == "cancelled"

    def test_cancel_of_what_is_over_is_refused(self, working: House, source: str) -> None:
        run = working.detect(detection(source, rule="over"))
        problem = working.call("POST", f"/v1/detections/{run['id']}/cancel", 409)
        assert "over" in problem["detail"]

    def test_the_same_key_and_body_is_the_same_run(self, idle: House) -> None:
        idle.source("det.idle")
        key = {"Idempotency-Key": "nightly-1"}
        body = detection("det.idle", rule="key")
        first = idle.http.post("/v1/detections", json=body, headers=key)
        second = idle.http.post("/v1/detections", json=dict(reversed(body.items())), headers=key)
        assert first.json()["id"] == second.json()["id"]
        assert "idempotency-replayed" not in first.headers
        assert second.headers["idempotency-replayed"] == "true"
        other = idle.http.post("/v1/detections", json={**body, "rule": "other"}, headers=key)
        assert other.status_code == 422
        assert "idempotency-key-reused" in other.json()["type"]

    def test_a_rerun_has_keys_of_its_own(self, idle: House, queued: dict[str, Any]) -> None:
        path, key = f"/v1/detections/{queued['id']}/rerun", {"Idempotency-Key": "rerun-1"}
        first = idle.call("POST", path, 202, headers=key)
        assert first["id"] != queued["id"]
        assert idle.call("POST", path, 202, headers=key)["id"] == first["id"]

    def test_accepting_reads_no_store(self, idle: House, queued: dict[str, Any]) -> None:
        with idle.resources.database.read() as tx:
            run = get_run(tx, queued["id"])
        assert run is not None
        assert not list(idle.resources.stores.objects.names(f"runs/{run.id}/"))


def test_local_days_are_whole_across_a_change_of_the_clocks(working: House) -> None:
    name = working.source("det.new-york", timezone="America/New_York")
    days = [{"metric": "m", "time": f"2026-10-{d:02}", "value": 1.0 + d % 3} for d in range(1, 32)]
    days += [{"metric": "m", "time": f"2026-11-{d:02}", "value": 1.0 + d % 3} for d in range(1, 13)]
    working.send(name, days)
    for begin, end, judged in (("10-30", "11-03", 4), ("11-05", "11-12", 7)):
        asked = {"start": f"2026-{begin}", "end": f"2026-{end}"}
        run = working.detect(detection(name, metric="m", rule=begin, range=asked))
        assert (run["counts"]["judged"], run["counts"]["no_data"]) == (judged, 0)


def test_tries_that_failed_are_on_the_runs_page_with_their_last_lines(
    working: House, source: str
) -> None:
    """Pods vanish; what they said does not."""
    run = working.detect(detection(source, rule="told", store=False))
    path = f"/v1/detections/{run['id']}/failures"
    assert run["links"]["failures"].endswith(path)
    assert working.call("GET", path)["items"] == []
    failure = Failure(
        step="detect",
        attempt=1,
        kind="OOMKilled",
        message="killed for want of memory",
        transient=True,
        at_ms=START_MS,
        chunk=3,
        log=("one", "two"),
    )
    record_failure(working.resources.stores.objects, run_root(run["id"]), failure)
    assert working.call("GET", path)["items"] == [
        {
            "step": "detect",
            "chunk": 3,
            "attempt": 1,
            "kind": "OOMKilled",
            "message": "killed for want of memory",
            "transient": True,
            "pointer": "",
            "at": "2026-01-01T00:00:00Z",
            "log": ["one", "two"],
        }
    ]
    working.call("GET", "/v1/detections/nobody/failures", status=404)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("not a trace", False),
    ],
)
def test_a_request_hands_its_trace_on(working: House, source: str, given: str, kept: bool) -> None:
    body = detection(source, rule="traced", store=False)
    headers = {"traceparent": given}
    run = working.call("POST", "/v1/detections", 202, json=body, headers=headers)
    with working.resources.database.read() as tx:
        found = get_run(tx, run["id"])
    assert found is not None
    assert found.request.get("traceparent", "") == (given if kept else "")
