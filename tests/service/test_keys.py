"""Idempotency-Key: twins of two processes, upgrades, and what a replay outlives."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import delete, insert

from service.app import open_app
from service.database import tables
from service.database.runs import RunFilter, list_runs
from tests.conftest import ROOT
from tests.service.api.house import House, detection, idle_settings
from tests.service.databases import KINDS, add_source, opened, url_of

RUNS = "/v1/detections"
REPLAYED = "idempotency-replayed"


@pytest.mark.parametrize("kind", KINDS)
def test_twins_of_two_processes_make_one_run(kind: str, tmp_path: Path) -> None:
    with opened(kind, tmp_path) as database:
        add_source(database)
        command = [sys.executable, "-m", "tests.service.key_process", url_of(database)]
        twins = [
            subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for twin in twins:
            assert twin.stdout is not None
            assert twin.stdout.readline() == "ready\n"
        for twin in twins:
            assert twin.stdin is not None
            twin.stdin.write("go\n")
            twin.stdin.flush()
        said = [twin.communicate(timeout=120)[0].split() for twin in twins]
        with database.read() as tx:
            runs = [run.id for run in list_runs(tx, RunFilter(), 10)]
    assert len(runs) == 1
    assert sorted(said) == [[runs[0], "False"], [runs[0], "True"]]


@pytest.fixture
def house(tmp_path: Path) -> Any:
    with open_app(idle_settings(tmp_path, max_runs_in_flight=2)) as app:
        yield House(app)


def ask(house: House, body: Any, key: str = "k", token: str | None = None) -> httpx2.Response:
    headers = {"idempotency-key": key}
    return house.client(token).post(RUNS, json=body, headers=headers)


def accepted(house: House, **more: Any) -> tuple[dict[str, Any], str]:
    """A body, and the run that it made with the key `k`."""
    body = detection(house.source("shop"), **more)
    answer = ask(house, body)
    assert answer.status_code == 202, answer.text
    return body, answer.json()["id"]


def test_a_key_that_an_older_version_stored_replays_a_body_that_this_one_refuses(
    house: House,
) -> None:
    _, run = accepted(house)
    # As an older version took and stored it: the hash must never be computed in another way.
    canonical = '{"note":"größer","rule":"check","sensitivity":[1,0.5,null],"source":"shop"}'
    stored = hashlib.sha256(canonical.encode()).hexdigest()
    with house.resources.database.write() as tx:
        tx.execute(
            insert(tables.idempotency).values(
                caller="local",
                route="detections",
                key="old",
                body_hash=stored,
                kind="run",
                object_id=run,
                created_ms=house.resources.clock.now_ms(),
            )
        )
    body = {"source": "shop", "sensitivity": [1, 0.5, None], "rule": "check", "note": "größer"}
    assert ask(house, body, "new").status_code == 422
    again = ask(house, body, "old")
    assert (again.status_code, again.json()["id"]) == (202, run)
    assert again.headers[REPLAYED] == "true"
    assert again.headers["location"] == f"{RUNS}/{run}"
    other = ask(house, {**body, "note": "other"}, "old")
    assert other.json()["type"] == "urn:lupus:problem:idempotency-key-reused"


def test_a_replay_outlives_its_source(house: House) -> None:
    body, run = accepted(house)
    house.call("DELETE", "/v1/sources/shop")
    assert ask(house, body, "other").status_code == 404
    assert ask(house, body).json()["id"] == run


def test_a_replay_of_a_run_that_is_not_kept_any_more_is_refused(house: House) -> None:
    body, run = accepted(house)
    with house.resources.database.write() as tx:
        tx.execute(delete(tables.runs).where(tables.runs.c.id == run))
    gone = ask(house, body)
    assert (gone.status_code, run in gone.json()["detail"]) == (409, True)
    assert "use a new key" in gone.json()["detail"]


def test_a_refusal_for_want_of_room_binds_no_key(house: House) -> None:
    body, run = accepted(house)
    assert ask(house, {**body, "rule": "second"}, "k2").status_code == 202
    full = ask(house, {**body, "rule": "third"}, "k3")
    assert (full.status_code, int(full.headers["retry-after"]) > 0) == (429, True)
    house.call("POST", f"{RUNS}/{run}/cancel", 202)
    now = ask(house, {**body, "rule": "third"}, "k3")
    assert (now.status_code, REPLAYED in now.headers) == (202, False)


def test_a_replay_shows_nothing_that_its_caller_may_not_see_any_more(house: House) -> None:
    house.source("shop")
    token = house.token(["shop"])
    body = detection("shop")
    assert ask(house, body, token=token).status_code == 202
    with house.resources.database.write() as tx:
        tx.execute(tables.tokens.update().values(sources=["other"]))
    assert ask(house, body, token=token).status_code == 404


def test_a_dry_run_knows_no_keys(house: House) -> None:
    body, _ = accepted(house)
    answer = house.http.post(
        RUNS, params={"dry_run": "true"}, json=body, headers={"idempotency-key": "k"}
    )
    assert (answer.status_code, "series" in answer.json()) == (200, True)
