"""The seed story on the production stack: the same documents as on the embedded parts."""

from pathlib import Path
from typing import Any

import pytest

from tests.service.receiver import Receiver, receiving
from tests.service.served import Served, served
from tests.stack.production import Production, production, serving
from tests.stack.story import (
    SOURCE,
    Story,
    anomalies,
    delivered,
    detect,
    ingest,
    same,
    take_part,
)

STORY = Story()
# Of a run's counts, those that the same request must give everywhere.
COUNTS = ("series", "judged", "anomalous", "new", "changed", "unchanged", "withdrawn", "failed")


class Told:
    """What a service has found and said, first and after points were rewritten."""

    def __init__(self, service: Served, receiver: Receiver) -> None:
        self.secret = take_part(service, receiver.url)
        values = STORY.values()
        ingest(service, STORY.rows(values), "points")
        self.first_run = detect(service, STORY.detection())
        self.first = anomalies(service)
        delivered(lambda: len(receiver.got), 1)
        again = STORY.rewritten(values)
        changed = STORY.taken_back + STORY.appearing
        ingest(service, STORY.rows(again, changed), "again")
        self.second_run = detect(service, STORY.detection())
        self.second = anomalies(service)
        delivered(lambda: len(receiver.got), 3)
        self.messages = sorted(receiver.got, key=lambda got: str(got.content["type"]))


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


def check_messages(told: Told) -> None:
    types = [got.content["type"] for got in told.messages]
    assert types == ["lupus.anomaly.v1", "lupus.anomaly.v1", "lupus.withdrawn.v1"]
    assert all(got.signed(told.secret) for got in told.messages)


def test_the_story_on_embedded_parts(tmp_path: Path) -> None:
    with receiving() as receiver, served(tmp_path / "embedded") as service:
        told = Told(service, receiver)
    assert len(told.first) >= STORY.series // 10 * 2
    check_the_second_run(told)
    check_messages(told)


@pytest.mark.real
@pytest.mark.timeout(1200)
def test_the_story_on_the_production_stack(tmp_path: Path) -> None:
    """Points in Hive, request by HTTP, Argo fan-out, anomalies in Elasticsearch, rows in Hive."""
    with receiving() as receiver, served(tmp_path / "embedded") as service:
        expected = Told(service, receiver)
    with production(tmp_path) as made, receiving() as receiver, serving(tmp_path, made) as service:
        told = Told(service, receiver)
        check_hive(made, told)
        check_workflows(made, told)
        found = documents_in_elasticsearch(made)
    check_the_second_run(told)
    check_messages(told)
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
