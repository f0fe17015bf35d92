"""What Prometheus is shown: by a service, by a worker beside it, and when the database is away."""

import math
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert

from service import measures
from service.database import tables
from service.database.deliveries import Delivery, insert_delivery
from service.database.engine import Database
from service.database.queue import NewJob, add_job
from service.database.rule_pulse import Pulse, rule_pulses
from service.database.runs import Run, insert_run
from service.errors import DatabaseBusyError
from service.house_look import house_state
from service.metrics_endpoint import HouseState, Measures, open_metrics_port
from service.worker.run_measures import chunk_seconds
from storage.folder import FolderObjects
from tests.conftest import ROOT
from tests.service.databases import KINDS
from tests.service.receiver import receiving
from tests.service.world import World
from tests.service.world import world as open_world

DAY_MS = 86_400_000
Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def values(text: str | bytes) -> Values:
    """Every sample of an exposition, by name and labels; fails when the text is not well formed."""
    read = text.decode() if isinstance(text, bytes) else text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(read)
        for sample in family.samples
    }


def counted(name: str, **labels: str) -> float:
    """What this process counted; 0 before the first."""
    wanted = (name, tuple(sorted(labels.items())))
    return values(generate_latest(measures.PROCESS)).get(wanted, 0.0)


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, request.param) as world:
        yield world


def ended(database: Database, some: Run, **values: Any) -> None:
    with database.write() as tx:
        insert_run(tx, replace(some, **values))


def test_the_pulse_of_rules_is_that_of_a_plain_group_by(world: World) -> None:
    some = world.accept()
    days = {"a": [1, 4, 5, 6, 7, 8, 9, 10, 11, 12], "b": [5], "c": []}
    number = 0
    for source in ("shop", "shop-2", "a"):
        for rule, ends in [*days.items(), (None, [50])]:
            for day in ends:
                number += 1
                ended(
                    world.database, some, id=f"r{number}", generation=number, source=source,
                    rule=rule, state="succeeded", ended_ms=day * DAY_MS,
                )  # fmt: skip
    ended(world.database, some, id="x", generation=998, rule="c", state="failed", ended_ms=DAY_MS)
    ended(
        world.database, some, id="y", generation=999, rule="b", state="partial",
        ended_ms=9 * DAY_MS,
    )  # fmt: skip
    with world.database.read() as tx:
        found = rule_pulses(tx)
    a = Pulse(12 * DAY_MS, 12 * DAY_MS, DAY_MS)
    b = Pulse(5 * DAY_MS, 5 * DAY_MS, None)
    expected = {(source, rule): pulse for source in ("shop-2", "a") for rule, pulse in
                (("a", a), ("b", b))}  # fmt: skip
    expected |= {
        ("shop", "a"): a,
        ("shop", "b"): Pulse(9 * DAY_MS, 5 * DAY_MS, None),
        ("shop", "c"): Pulse(DAY_MS, None, None),
    }
    assert found == expected


def test_the_longest_of_the_last_eight_gaps_is_usual(world: World) -> None:
    """A job of working days pauses at weekends: that is no silence."""
    some = world.accept()
    for number, day in enumerate((1, 2, 3, 4, 5, 8, 9, 10)):
        ended(world.database, some, id=f"w{number}", generation=number, rule="weekdays",
              state="succeeded", ended_ms=day * DAY_MS)  # fmt: skip
    with world.database.read() as tx:
        assert rule_pulses(tx)["shop", "weekdays"].interval_ms == 3 * DAY_MS


def house(world: World) -> HouseState:
    return house_state(world.database, world.clock.now_ms())


def test_the_house_is_counted(world: World) -> None:
    empty = house(world)
    assert empty.runs["queued"] == 0, "also what is not there has a value"
    assert empty.deliveries == {"pending": 0, "sent": 0, "held": 0, "dead": 0}
    assert empty.database_bytes > 10_000
    assert empty.sources == 1
    world.launcher.script = ["run"]
    world.accept(rule="one")
    world.accept(rule="two")
    world.tick("run")
    now_ms = world.clock.now_ms()
    with world.database.write() as tx:
        add_job(tx, NewJob("c", "compact", "shop"), now_ms, now_ms + 60_000)
        insert_delivery(
            tx,
            Delivery("d", "r", "shop", "chat", "anomaly", 1, "{}", "pending", now_ms - 5_000),
        )
        until = {"key": "k", "failures": 3, "used_ms": now_ms, "failing_until_ms": now_ms + 9}
        tx.execute(insert(tables.endpoints).values(until))
        tx.execute(insert(tables.endpoints).values({**until, "key": "over",
                                                    "failing_until_ms": now_ms - 9}))  # fmt: skip
    world.clock.advance(500)
    full = house(world)
    assert (full.runs["queued"], full.runs["running"]) == (1, 1)
    jobs = {labels: count for labels, count in full.jobs.items() if count}
    assert jobs == {("run", "waiting"): 1, ("run", "carried"): 1, ("compact", "later"): 1}
    assert full.oldest_job_seconds["run"] >= 0.5
    assert full.oldest_pending_seconds == 5.5
    assert full.endpoints_failing == 0, "the clock went on past its end"


def test_a_run_is_counted_once_by_who_closed_it(world: World) -> None:
    labels = {"detector": "threshold"}
    before = counted("lupus_runs_ended_total", **labels, outcome="succeeded")
    timed = counted("lupus_run_seconds_count", **labels)
    waited = counted("lupus_run_queued_seconds_count", **labels)
    world.accept()
    world.settle()
    assert counted("lupus_runs_ended_total", **labels, outcome="succeeded") == before + 1
    assert counted("lupus_run_seconds_count", **labels) == timed + 1
    assert counted("lupus_run_queued_seconds_count", **labels) == waited + 1
    house(world)
    house(world)
    assert counted("lupus_runs_ended_total", **labels, outcome="succeeded") == before + 1


def test_attempts_to_deliver_are_counted(world: World) -> None:
    def outcomes() -> list[float]:
        return [
            counted("lupus_delivery_attempts_total", outcome=outcome)
            for outcome in ("sent", "retried", "dead")
        ]

    sent, retried, dead = outcomes()
    with receiving() as receiver:
        receiver.answers = [(500, {}), (204, {}), (410, {})]
        world.webhook(receiver.url)
        notify = {"channels": ["chat"], "on": ["succeeded"]}
        for _ in range(2):
            world.accept(notify=notify)
            world.settle()
            world.settle("delivery", seconds=100)
    assert outcomes() == [sent + 1, retried + 1, dead + 1]


def test_methods_that_nobody_knows_are_one_label() -> None:
    before = counted("lupus_http_requests_total", method="other", route="unmatched", status="404")
    for method in ("BREW", "PROPFIND"):
        measures.request(method, "unmatched", 404, 0.1)
    name = "lupus_http_requests_total"
    assert counted(name, method="other", route="unmatched", status="404") == before + 2


def test_what_was_counted_is_shown_while_the_database_is_away(tmp_path: Path) -> None:
    asked = 0

    def look() -> HouseState:
        nonlocal asked
        asked += 1
        raise DatabaseBusyError("the database is locked")

    shown = Measures(look, {"data": tmp_path, "scratch": tmp_path / "none"})
    found = values(shown.text())
    assert found["lupus_database_up", ()] == 0
    assert "lupus_runs" not in {name for name, _ in found}
    assert found["lupus_folder_free_bytes", (("folder", "data"),)] > 0
    assert ("lupus_folder_free_bytes", (("folder", "scratch"),)) not in found
    assert found["process_open_fds", ()] > 3
    assert any(name == "lupus_build_info" for name, _ in found)
    shown.text()
    assert asked == 1, "asked again only after some seconds"


def test_a_port_of_its_own_names_nothing_of_anybody(tmp_path: Path) -> None:
    measures.looked("runs")
    port = open_metrics_port("127.0.0.1", 0, {"data": tmp_path})
    text = httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=60).text
    found = values(text)
    age = time.time() - found["lupus_worker_look_timestamp_seconds", (("thread", "runs"),)]
    assert math.isclose(age, 0, abs_tol=60)
    assert not re.search(r'(source|rule)="', text)


def test_the_page_lists_every_metric(world: World, tmp_path: Path) -> None:
    shown = Measures(lambda: house(world), {"data": tmp_path}).text().decode()
    families = {family.name for family in text_string_to_metric_families(shown)}
    # Counters are written without their ending by the parser.
    page = (ROOT / "docs" / "metrics.md").read_text()
    told = {name.removesuffix("_total") for name in re.findall(r"`((?:lupus|process)_\w+)", page)}
    assert {name for name in families if name.startswith("lupus_")} <= told
    assert {name for name in told if name.startswith("lupus_")} <= families


def test_chunks_that_cannot_be_read_are_not_timed(tmp_path: Path) -> None:
    assert chunk_seconds(FolderObjects(tmp_path), "none") == []
