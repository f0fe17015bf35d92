"""The seed story on the production stack: the same documents as on the embedded parts."""

from pathlib import Path
from typing import Any

import pytest

from tests.real import server
from tests.service.served import Served, served
from tests.stack.listeners import Listeners, listening
from tests.stack.production import Production, production, serving
from tests.stack.story import (
    SOURCE,
    Story,
    anomalies,
    detect,
    ingest,
    same,
)

STORY = Story()
# Of a run's counts, those that the same request must give everywhere.
COUNTS = ("series", "judged", "anomalous", "new", "changed", "unchanged", "withdrawn", "failed")


class Told:
    """What a service has found and said, first and after points were rewritten."""

    def __init__(self, service: Served, ears: Listeners) -> None:
        service.http.put(f"/v1/sources/{SOURCE}", json={"kind": "managed"}).raise_for_status()
        ears.join(service)
        values = STORY.values()
        ingest(service, STORY.rows(values), "points")
        self.first_run = detect(service, STORY.detection(ears.channels))
        self.first = anomalies(service)
        ears.heard(1)
        self.believed_first = ears.believed()
        self.alerts(ears)
        again = STORY.rewritten(values)
        changed = STORY.taken_back + STORY.appearing
        ingest(service, STORY.rows(again, changed), "again")
        self.second_run = detect(service, STORY.detection(ears.channels))
        self.second = anomalies(service)
        ears.heard(3)
        self.believed = ears.believed()
        self.alerts(ears)
        self.messages = sorted(ears.receiver.got, key=lambda got: str(got.content["type"]))

    def alerts(self, ears: Listeners) -> None:
        """Alerts are active exactly for what the messages say."""
        if ears.alertmanager:
            ears.alerts_are({(region, now) for (region, _), now in ears.believed().items()})


def regions(documents: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(document["labels"]["region"], document["time"][:10]) for document in documents}


def check_the_second_run(told: Told) -> None:
    """It takes back what was taken back, adds what appeared, and leaves everything else."""
    before = {document["id"]: document for document in told.first}
    changed = [one for one in told.second if before.get(one["id"]) != one]
    taken_back = [one for one in changed if one["status"] == "withdrawn"]
    added = [one for one in changed if one["id"] not in before]
    assert regions(taken_back) == {(f"r{n:03}", "2027-01-31") for n in STORY.taken_back}
    assert regions(added) == {(f"r{n:03}", "2027-02-01") for n in STORY.appearing}
    assert len(changed) == len(taken_back) + len(added)
    assert {one["cause"] for one in taken_back} == {"data"}


def check_messages(told: Told, ears: Listeners) -> None:
    """One message of what is unusual, then exactly the withdrawals, what appeared and the ends."""
    types = [got.content["type"] for got in told.messages]
    assert types == ["lupus.anomaly.v1", "lupus.anomaly.v1", "lupus.withdrawn.v1"]
    assert all(got.signed(ears.secret) for got in told.messages)
    first = {region for region, _ in told.believed_first}
    assert {f"r{n:03}" for n in STORY.taken_back} <= first
    withdrawn = told.messages[2].content["data"]
    assert {row["labels"]["region"] for row in withdrawn["rows"]} == {
        f"r{n:03}" for n in STORY.taken_back
    }
    assert {region for region, _ in told.believed} == {f"r{n:03}" for n in STORY.appearing}
    notes = told.second_run["notified"]
    assert set(notes) == set(ears.channels)
    for channel in notes.values():
        sent = {note["event"]: note["count"] for note in channel["sent"]}
        assert sent == {"anomaly": len(STORY.appearing), "withdrawn": len(STORY.taken_back)}
        assert all(note["text"] for note in (*channel["sent"], *channel["held"]))


def check_slack(told: Told, ears: Listeners) -> None:
    """The same words; withdrawals are in the thread of what they withdraw."""
    assert set(ears.slack.refused) <= {"ratelimited"}
    assert len(ears.slack.posted) == len(told.messages)
    posted = ears.posted("Withdrawn: 3 anomalies reported for")
    threads = {one.ts: one.content.get("thread_ts") for one in ears.slack.posted}
    first = ears.slack.posted[0].ts
    assert threads.pop(posted.ts) == first
    assert set(threads.values()) == {None}, "what is new is not hidden in a thread"
    for row in told.messages[2].content["data"]["rows"]:
        assert row["labels_text"] in posted.text
        assert row["value_text"] in posted.text


def test_the_story_on_embedded_parts(tmp_path: Path) -> None:
    with (
        listening() as ears,
        served(tmp_path / "embedded", ears.environment) as service,
    ):
        told = Told(service, ears)
    assert len(told.first) >= STORY.series // 10 * 2
    check_the_second_run(told)
    check_messages(told, ears)
    check_slack(told, ears)


@pytest.mark.real
@pytest.mark.timeout(1800)
def test_the_story_on_the_production_stack(tmp_path: Path) -> None:
    """Points in Hive, request by HTTP, Argo fan-out, anomalies in Elasticsearch, rows in Hive;
    people are told by webhook, by Slack and by a real Alertmanager."""
    alertmanager = server("LUPUS_TEST_ALERTMANAGER_URL")
    with listening() as ears, served(tmp_path / "embedded", ears.environment) as service:
        expected = Told(service, ears)
    with production(tmp_path) as made, listening(alertmanager) as ears:
        made.environment.update(ears.environment)
        with serving(tmp_path, made) as service:
            told = Told(service, ears)
            check_hive(made, told)
            check_workflows(made, told)
            found = documents_in_elasticsearch(made)
    check_the_second_run(told)
    check_messages(told, ears)
    check_slack(told, ears)
    same(told.first, expected.first)
    same(told.second, expected.second)
    for mine, other in (
        (told.first_run, expected.first_run),
        (told.second_run, expected.second_run),
    ):
        assert {name: mine["counts"][name] for name in COUNTS} == {
            name: other["counts"][name] for name in COUNTS
        }
    assert found == {document["id"] for document in told.second}


def check_hive(made: Production, told: Told) -> None:
    """The points and a row for every checked point lie in Hive's tables."""
    points = made.hive.table(f"SELECT count(*) AS n FROM {made.schema}.lupus_points")
    assert points["n"].to_pylist() == [STORY.series * 400 + 5 * 400]
    rows = made.hive.table(
        f"SELECT count(*) AS n, sum(CASE WHEN status = 'found' THEN 1 ELSE 0 END) AS found "
        f"FROM {made.schema}.lupus_results WHERE source = '{SOURCE}' "
        f"AND run = '{told.first_run['id']}'"
    )
    counts = told.first_run["counts"]
    assert rows.to_pylist() == [{"n": counts["judged"], "found": counts["new"]}]


def check_workflows(made: Production, told: Told) -> None:
    """Each run was a workflow with several detect pods, and the run's page links to it."""
    names = {one["metadata"]["name"]: one for one in made.space.workflows()}
    for run in (told.first_run, told.second_run):
        name = f"lupus-detection-{run['id']}-1"
        assert name in names, sorted(names)
        nodes = names[name]["status"].get("nodes", {}).values()
        detects = [n for n in nodes if n["type"] == "Pod" and n["templateName"] == "detect"]
        assert len(detects) > 1
        assert run["links"]["workflow"].endswith(f"/workflows/{made.space.name}/{name}")


def documents_in_elasticsearch(made: Production) -> set[str]:
    with made.index.client() as client:
        alias = f"{made.index.settings.prefix}-anomalies-v1-*"
        answer = client.search(index=alias, size=1000, source=False)
    return {str(hit["_id"]) for hit in answer["hits"]["hits"]}
