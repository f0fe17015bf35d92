"""Runs of one rule: in the order of acceptance, one at a time, and never an older over a newer."""

from itertools import pairwise

from service.database.runs import get_run
from service.worker.settings import WorkerSettings
from tests.service.api.house import House, daily, detection
from tests.workflows.publishing import DAY, START, flat, key
from tests.workflows.publishing import House as Steps
from workflows.publish import publish


def test_runs_of_a_rule_never_overlap_and_other_rules_do_not_wait(working: House) -> None:
    source = working.source("run.order")
    working.send(source, daily([1.0] * 40 + [0.1]))
    body = detection(source, range={"start": "2026-07-01", "end": "2026-07-20"})
    ids = [working.call("POST", "/v1/detections", 202, json=body)["id"] for _ in range(4)]
    for id_ in ids:
        ended = working.call("GET", f"/v1/detections/{id_}", params={"wait": "60s"})
        assert ended["state"] == "succeeded", ended
    with working.resources.database.read() as tx:
        runs = [run for id_ in ids if (run := get_run(tx, id_)) is not None]
    assert [run.generation for run in runs] == sorted(run.generation for run in runs)
    for before, after in pairwise(runs):
        assert before.ended_ms is not None
        assert after.started_ms is not None
        assert before.ended_ms <= after.started_ms


def test_the_newer_generation_stays_whichever_is_applied_last(steps: Steps) -> None:
    series = key("ndcg")
    steps.put(flat(series, 5) | {(series, START + 3 * DAY): 50.0, (series, START): 50.0})
    steps.run(5)
    old, new = steps.request(5), steps.request(5)
    steps.judge(old)
    steps.put({(series, START + 3 * DAY): 1.0, (series, START): 60.0})
    steps.judge(new)
    assert publish(steps.context, new.run).counts["superseded"] == 0
    newer = steps.anomalies()
    assert {a.status for a in newer.values()} == {"found", "withdrawn"}
    steps.put({(series, START + 3 * DAY): 50.0})
    late = publish(steps.context, old.run)
    assert late.counts["superseded"] == late.counts["new"] + late.counts["changed"] > 0
    assert steps.anomalies() == newer


def test_a_lease_covers_a_tick_and_not_a_run() -> None:
    settings = WorkerSettings()
    assert settings.look_ms < settings.lease_ms
    assert settings.backoff_ms(0) < settings.backoff_ms(3) <= settings.backoff_ms(30)
    assert settings.backoff_ms(10_000) == settings.longest_backoff_ms
