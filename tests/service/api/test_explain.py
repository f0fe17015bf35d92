"""GET /v1/detections/{id}/explain: the trace of real runs, and who was told."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from detectors import Reason, Severity
from detectors.explain import KINDS, Explanation, replay
from service.cli import main
from service.cli.client import Client
from service.clock import DAY_MS
from tests.service.api.house import FIRST_MS, House, daily, detection, rfc3339

SOURCE = "why.ranking"
CHANNEL = "why-hook"
VALUES = [0.4 + 0.004 * (day % 7) for day in range(60)]
DAYS = {"start": "2026-07-17", "end": "2026-07-31"}
LAST = "2026-07-30"


def late(values: list[float], region: str) -> list[dict[str, Any]]:
    """Daily points that end on the same day as those of all."""
    first_ms = FIRST_MS + (60 - len(values)) * DAY_MS
    return [
        {**point, "time": rfc3339(first_ms + n * DAY_MS)}
        for n, point in enumerate(daily(values, labels={"region": region}))
    ]


@pytest.fixture(scope="module")
def run(working: House) -> dict[str, Any]:
    """Two drops, a small one, a calm series and a young one; one channel that takes all."""
    working.source(SOURCE)
    hook = {"kind": "webhook", "url": "http://127.0.0.1:9/hook"}
    working.call("PUT", f"/v1/channels/{CHANNEL}", 201, json=hook)
    drop, small = list(VALUES), list(VALUES)
    drop[-2:], small[-1] = [0.2, 0.21], 0.373
    points = daily(drop, labels={"region": "jp"}) + daily(small, labels={"region": "kr"})
    points += daily(VALUES, labels={"region": "th"}) + late(VALUES[:5], "us")
    working.send(SOURCE, points)
    notify = {"channels": [CHANNEL], "max_age": "5200w"}
    return working.detect(
        detection(SOURCE, rule="why", range=DAYS, detector={"type": "window"}, notify=notify)
    )


def explain(
    house: House, run: dict[str, Any], region: str, time: str = LAST, status: int = 200
) -> dict[str, Any]:
    query = {"series": f'ndcg@10{{region="{region}"}}', "time": time}
    return house.call("GET", f"/v1/detections/{run['id']}/explain", status, params=query)


def step(answer: dict[str, Any], kind: str) -> tuple[str, dict[str, Any]]:
    (found,) = (one for one in answer["steps"] if one["kind"] == kind)
    return found["says"], {one["name"]: one["value"] for one in found["facts"]}


def test_an_anomaly_is_explained_from_its_points_to_its_message(
    working: House, run: dict[str, Any]
) -> None:
    answer = explain(working, run, "jp", "2026-07-29")
    kinds = [one["kind"] for one in answer["steps"]]
    assert kinds == ["points", *KINDS, "stored", "told"]
    assert (answer["points"], answer["agrees"]) == ("run", True)
    verdict = replay(Explanation.from_dict(answer))
    assert verdict.is_anomaly
    assert verdict.severity == Severity.CRITICAL
    assert step(answer, "verdict")[1]["score"] == verdict.score
    assert "28 points" in step(answer, "baseline")[0]
    says, facts = step(answer, "told")
    assert says.startswith(f"The anomaly was told to {CHANNEL}, as critical.")
    assert facts["sent"] is True
    assert working.http.get(f"/v1/deliveries/{facts['delivery']}").is_success


def test_what_is_held_back_says_why(working: House, run: dict[str, Any]) -> None:
    answer = explain(working, run, "kr")
    assert step(answer, "verdict")[1]["severity"] == "warning"
    says, facts = step(answer, "told")
    assert (facts["sent"], facts["why"]) == (False, "below_min_severity")
    assert says == (
        f"Held back from {CHANNEL}: less severe than major, the least that the request wants told."
    )


def test_a_normal_point_has_nothing_to_tell(working: House, run: dict[str, Any]) -> None:
    answer = explain(working, run, "th")
    assert answer["agrees"] is True
    assert step(answer, "verdict")[0].startswith("Not an anomaly")
    assert step(answer, "told")[0].startswith(f"Nothing to tell {CHANNEL}")


def test_a_point_that_could_not_be_judged_says_when_it_can(
    working: House, run: dict[str, Any]
) -> None:
    answer = explain(working, run, "us")
    assert replay(Explanation.from_dict(answer)).reason == Reason.INSUFFICIENT_HISTORY
    assert answer["agrees"] is True
    says, facts = step(answer, "missing")
    assert says.startswith("There are 4 points of history, and 10 are needed.")
    assert facts["ready_at"] == "2026-08-05T00:00:00Z"
    missing = explain(working, run, "us", "2026-07-20", 422)
    assert "the nearest are at 2026-07-26" in missing["detail"]


def test_a_series_goes_by_its_id_too(working: House, run: dict[str, Any]) -> None:
    named = explain(working, run, "jp")
    by_id = working.call(
        "GET",
        f"/v1/detections/{run['id']}/explain",
        params={"series": named["series"], "time": "2026-07-30T00:00:00Z"},
    )
    assert by_id == named
    assert named["name"] == 'ndcg@10{region="jp"}'


def test_what_cannot_be_explained_says_why(working: House, run: dict[str, Any]) -> None:
    unknown = explain(working, run, "mars", status=404)
    assert "read no series ndcg@10{region=" in unknown["detail"]
    outside = explain(working, run, "jp", "2026-07-31", 422)
    assert outside["errors"][0]["parameter"] == "time"
    assert "from 2026-07-17T00:00:00Z to before 2026-07-31T00:00:00Z" in outside["detail"]
    between = explain(working, run, "jp", "2026-07-29T06:00:00Z", 422)
    assert "2026-07-29T00:00:00.000Z and 2026-07-30T00:00:00.000Z" in between["detail"]
    never = explain(working, run, "jp", "yesterday", 422)
    assert never["errors"][0]["parameter"] == "time"
    odd = explain(working, run, 'x"y', status=404)
    assert "give an id" in odd["detail"]


def test_a_run_that_stores_nothing_tells_nobody(working: House, run: dict[str, Any]) -> None:
    tried = working.detect(
        {**detection(SOURCE, range=DAYS, detector={"type": "window"}), "rule": None, "store": False}
    )
    answer = explain(working, tried, "jp")
    assert answer["agrees"] is True
    assert step(answer, "told")[0] == "Nobody is told: the run stored nothing."


def test_a_later_run_that_finds_the_same_has_nothing_new_to_tell(
    working: House, run: dict[str, Any]
) -> None:
    again = working.call("POST", f"/v1/detections/{run['id']}/rerun", 202)
    while again["ended_at"] is None:
        path = f"/v1/detections/{again['id']}"
        again = working.call("GET", path, params={"wait": "60s"})
    answer = explain(working, again, "jp", "2026-07-29")
    says, facts = step(answer, "told")
    assert facts["why"] == "told_before"
    assert f"run {run['id']} did on" in says
    small = explain(working, again, "kr")
    assert "an earlier run had found it" in step(small, "told")[0]


def test_after_its_folder_is_gone_the_archive_is_asked_and_the_answer_says_so(
    working: House,
) -> None:
    source = working.source("why.later")
    drop = list(VALUES)
    drop[-1] = 0.2
    working.send(source, daily(drop, labels={"region": "jp"}))
    body = detection(source, rule="why", range=DAYS, detector={"type": "window"})
    ended = working.detect(body)
    kept = explain(working, ended, "jp")
    working.resources.stores.objects.delete_prefix(f"runs/{ended['id']}/")
    answer = explain(working, ended, "jp")
    assert (answer["points"], answer["agrees"]) == ("archive", True)
    assert "Nothing is kept of what" in step(answer, "points")[0]
    assert [one for one in answer["steps"] if one["kind"] in KINDS] == [
        one for one in kept["steps"] if one["kind"] in KINDS
    ]
    by_id = {"series": answer["series"], "time": LAST}
    path = f"/v1/detections/{ended['id']}/explain"
    assert working.call("GET", path, params=by_id) == answer
    assert working.http.get(path, params={**by_id, "series": "f" * 32}).status_code == 404
    corrected = {**daily(drop, labels={"region": "jp"})[-1], "value": 0.41}
    working.send(source, [corrected])
    changed = explain(working, ended, "jp")
    assert changed["agrees"] is False
    says, facts = step(changed, "stored")
    assert "another verdict: an anomaly, critical" in says
    assert "The point was written again since: 0.2 then, 0.41 now." in says
    assert "is_anomaly" in facts["differs"]


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def _client(self, working: House, monkeypatch: pytest.MonkeyPatch) -> None:
        """Commands talk to the service of this process."""

        @contextmanager
        def client(_url: str | None) -> Iterator[Client]:
            yield Client(working.http)

        monkeypatch.setattr("service.cli.explain.open_client", client)

    def test_the_steps_are_a_table(
        self, run: dict[str, Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["explain", run["id"], 'ndcg@10{region="kr"}', LAST]) == 0
        out = capsys.readouterr().out
        assert 'ndcg@10{region="kr"} at 2026-07-30T00:00:00Z' in out
        _, _, shown = out.partition("what it says")  # the log of this process stands before it
        rows = [line.split("  ")[0] for line in shown.splitlines()[1:] if line[0] != " "]
        assert rows == ["points", *(kind.replace("_", " ") for kind in KINDS), "stored", "told"]

    def test_the_answer_is_there_as_json(
        self, working: House, run: dict[str, Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["explain", run["id"], 'ndcg@10{region="kr"}', LAST, "--json"]) == 0
        said = capsys.readouterr().out.splitlines()[-1]
        assert json.loads(said) == explain(working, run, "kr")

    def test_what_cannot_be_explained_is_wrong_usage(
        self, run: dict[str, Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["explain", run["id"], "ndcg@11", LAST]) == 64
        assert "read no series ndcg@11" in capsys.readouterr().err


def test_each_channel_says_for_itself_what_held_an_anomaly_back(working: House) -> None:
    """An episode that was told, a channel that takes no anomalies, and then a withdrawal."""
    source = working.source("why.told")
    for name, events in (("why-all", None), ("why-deaf", ["failed"])):
        hook: dict[str, Any] = {"kind": "webhook", "url": "http://127.0.0.1:9/hook"}
        hook |= {"events": events} if events else {}
        working.call("PUT", f"/v1/channels/{name}", 201, json=hook)
    drop = [*VALUES[:-2], 0.2, 0.21]
    sent = daily(drop, labels={"region": "jp"})
    working.send(source, sent)
    notify = {"channels": ["why-all", "why-deaf"], "max_age": "5200w"}
    body = {"rule": "why", "detector": {"type": "threshold", "lower": 0.3}, "notify": notify}

    def ran(end: str, **more: Any) -> dict[str, Any]:
        days = {"start": "2026-07-17", "end": end}
        return working.detect(detection(source, range=days, **{**body, **more}))

    def why(run: dict[str, Any], time: str) -> list[Any]:
        steps = [one for one in explain(working, run, "jp", time)["steps"] if one["kind"] == "told"]
        facts = [{fact["name"]: fact["value"] for fact in step["facts"]} for step in steps]
        return [one["sent"] or one["why"] for one in facts]

    assert why(ran("2026-07-30"), "2026-07-29") == [True, "channel_does_not_take_it"]
    second = ran("2026-07-31")
    assert why(second, "2026-07-30") == ["episode_told", "channel_does_not_take_it"]
    assert why(second, "2026-07-29") == ["told_before", None]
    unasked = ran("2026-07-31", rule="other", notify={**notify, "on": ["failed"]})
    assert why(unasked, "2026-07-30") == ["not_asked_for", "not_asked_for"]
    working.send(source, [{**one, "value": 0.41} for one in sent[-2:]])
    third = ran("2026-07-31")
    assert why(third, "2026-07-29") == [True, "never_told"]
    answer = explain(working, third, "jp", "2026-07-29")
    assert answer["agrees"] is True
    assert any("The withdrawal was told to why-all" in one["says"] for one in answer["steps"])
    assert why(third, "2026-07-30") == ["never_told", "never_told"]
