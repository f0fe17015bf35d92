"""A part of the production stack fails in mid-run: nothing is lost, nothing doubled, and the run's
page says what happened. Every drill ends with the documents of an undisturbed embedded run.
"""

import os
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import make_url

from tests.conftest import ROOT
from tests.real import server
from tests.service.databases import postgres_url
from tests.service.receiver import Receiver, receiving
from tests.service.served import Served, served
from tests.stack.production import Production, Servers, production, serving
from tests.stack.story import RULE, Story, anomalies, delivered, detect, ingest, same, take_part
from tests.stack.wire import NODE, Wire, wire
from tests.storage.s3.proxy import Answer, Call, Forward, proxy, slow_down
from tests.workflows.argo.cluster import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]

STORY = Story(series=40)
SEED = 20
API_AWAY_SECONDS = 60.0
Disturb = Callable[[Production, str], None]


@dataclass
class Outcome:
    """What a service has said of the story's first half."""

    page: dict[str, Any]
    found: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    tries: list[dict[str, Any]]  # those that failed, as the run's page shows them


def carry_out(
    service: Served, receiver: Receiver, meanwhile: Callable[[str], None] = lambda run: None
) -> Outcome:
    take_part(service, receiver.url)
    ingest(service, STORY.rows(STORY.values()), "points", seconds=600)
    page = detect(service, STORY.detection(), seconds=900, meanwhile=meanwhile)
    found = anomalies(service)
    delivered(lambda: len(receiver.got), 1)
    messages = {got.id: got.content for got in receiver.got}
    answer = service.http.get(f"/v1/detections/{page['id']}/failures")
    assert answer.is_success, answer.text
    return Outcome(page, found, list(messages.values()), answer.json()["items"])


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("embedded")
    with receiving() as receiver, served(folder / "embedded") as service:
        outcome = carry_out(service, receiver)
    assert outcome.page["state"] == "succeeded"
    assert len(outcome.found) >= STORY.series // 10 * 2
    return outcome


def drilled(folder: Path, servers: Servers, disturb: Disturb) -> tuple[Outcome, Production]:
    """The story with something going wrong; ``disturb`` is given the run when it is accepted."""
    with (
        production(folder, servers) as made,
        receiving() as receiver,
        serving(folder, made) as service,
    ):
        outcome = carry_out(service, receiver, lambda run: disturb(made, run))
    return outcome, made


def check(outcome: Outcome, expected: Outcome) -> None:
    """Nothing lost, nothing doubled."""
    assert outcome.page["state"] == "succeeded", outcome.page
    same(outcome.found, expected.found)
    assert outcome.page["counts"] == expected.page["counts"]
    assert len(outcome.messages) == len(expected.messages)
    counted = [message["data"].get("rule") for message in outcome.messages]
    assert counted == [RULE] * len(expected.messages)


def check_told(outcome: Outcome, step: str) -> None:
    """The run's page says what happened: a try of the step that failed, with its last lines."""
    told = [one for one in outcome.tries if one["step"] == step]
    assert told, outcome.tries
    assert all(one["message"] for one in told)


def test_elasticsearch_down_during_publish(tmp_path: Path, expected: Outcome) -> None:
    there = urlsplit(server("LUPUS_TEST_ELASTICSEARCH_URL"))
    assert there.hostname is not None
    assert there.port is not None
    with wire(there.hostname, there.port) as line:

        def disturb(made: Production, run: str) -> None:
            # Every chunk is committed, and publish has not begun or has just begun.
            made.committed(run, "plan.json")
            until("a chunk", lambda: any(n.startswith("chunk/") for n in made.commits(run)))
            line.cut()
            until("a failed publish", lambda: failed(made, run, "publish"), 600)
            line.mend()

        servers = Servers(elasticsearch=f"http://{line.address}")
        outcome, _ = drilled(tmp_path, servers, disturb)
    check(outcome, expected)
    check_told(outcome, "publish")


def failed(made: Production, run: str, step: str) -> bool:
    """Whether a try of a step has left its reason."""
    return any(name.startswith(f"failure/{step}") for name in made.commits(run))


def test_hive_restarted_during_plan(tmp_path: Path, expected: Outcome) -> None:
    """A Hive server of the drill's own is killed as soon as the plan talks to it."""
    with own_server("hive", "LUPUS_HIVE_PORT", "21300", "LUPUS_TEST_HIVE_URL") as (url, restart):
        there = urlsplit(url)
        assert there.hostname is not None
        assert there.port is not None
        with wire(there.hostname, there.port) as line:

            def disturb(made: Production, run: str) -> None:
                before = line.accepted
                until("a session of plan", lambda: line.accepted > before, 600)
                line.cut()
                restart()
                until("a failed plan", lambda: failed(made, run, "plan"), 600)
                line.mend()

            outcome, _ = drilled(tmp_path, Servers(hive=line.address), disturb)
    check(outcome, expected)
    check_told(outcome, "plan")


def test_s3_refusing_a_tenth_of_all_calls(tmp_path: Path, expected: Outcome) -> None:
    there = urlsplit(server("LUPUS_TEST_S3_URL"))
    chance, lock = random.Random(SEED), threading.Lock()
    refused = 0

    def moody(call: Call, forward: Forward) -> Answer:
        nonlocal refused
        with lock:
            refuse = chance.random() < 0.1
            refused += refuse
        return slow_down() if refuse else forward(call)

    with proxy(f"http://{there.hostname}:{there.port}", moody, NODE) as endpoint:
        outcome, _ = drilled(tmp_path, Servers(s3=endpoint), lambda _made, _run: None)
    check(outcome, expected)
    assert refused > 10


def test_postgresql_restarted(tmp_path: Path, expected: Outcome) -> None:
    """A database server of the drill's own crashes twice while the run is under way."""
    with own_server("postgres", "LUPUS_TEST_POSTGRES_PORT", "39532", "LUPUS_TEST_POSTGRES_URL") as (
        url,
        restart,
    ):

        def disturb(made: Production, run: str) -> None:
            restart()
            made.committed(run, "plan.json")
            restart()

        database = make_url(url).set(drivername=postgres_url().drivername)
        servers = Servers(postgres=database.render_as_string(hide_password=False))
        outcome, _ = drilled(tmp_path, servers, disturb)
    check(outcome, expected)


def test_the_api_server_unreachable_for_a_minute(tmp_path: Path, expected: Outcome) -> None:
    """The service cannot see its workflow; the run goes on and is found again, not repeated."""
    with wire(NODE, 6443, "127.0.0.1") as line:

        def disturb(made: Production, run: str) -> None:
            made.committed(run, "plan.json", 600)
            away(line)

        servers = Servers(kubernetes=f"https://{line.address}")
        with (
            production(tmp_path, servers) as made,
            receiving() as receiver,
            serving(tmp_path, made) as service,
        ):
            outcome = carry_out(service, receiver, lambda run: disturb(made, run))
            names = [one["metadata"]["name"] for one in made.space.workflows()]
    check(outcome, expected)
    assert sum("-detection-" in name for name in names) == 1, names
    assert outcome.page["attempt"] == 1


def away(line: Wire) -> None:
    line.cut()
    threading.Event().wait(API_AWAY_SECONDS)
    line.mend()


@contextmanager
def own_server(
    name: str, port_variable: str, port: str, variable: str
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Another instance of a test server, and what kills and starts it again."""
    script = str(ROOT / "tests" / "servers" / name / "server")
    environment = {**os.environ, port_variable: port, "LUPUS_SERVERS_ADDRESS": NODE}

    def call(*words: str) -> str:
        done = subprocess.run(
            [script, *words], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def restart() -> None:
        call("stop", "KILL")
        call("up")

    server(variable)
    call("down")  # what a killed test may have left
    printed = call("up")
    try:
        line = next(one for one in printed.splitlines() if f"{variable}=" in one)
        yield line.partition("=")[2], restart
    finally:
        call("down")
