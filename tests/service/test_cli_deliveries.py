"""`lupus-server deliveries` at a service that runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.cli import main
from service.clock import SystemClock
from service.database.deliveries import Delivery, insert_delivery
from service.database.engine import open_database
from tests.service.databases import sqlite_url
from tests.service.served import served


def _delivery(number: int, channel: str) -> Delivery:
    return Delivery(
        id=f"msg_{number}",
        run=f"run {number}",
        source="shop",
        channel=channel,
        event="anomaly",
        counter=number,
        body="{}",
        state="dead",
        created_ms=SystemClock().now_ms() + number,
        error="given up: the receiver answered 500",
    )


def test_dead_deliveries_are_listed_and_sent_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path / "data", {"LUPUS_WORKER": "false"}) as service:
        database = open_database(sqlite_url(tmp_path / "data"))
        with database.write() as tx:
            for number, channel in enumerate(("a", "a", "b")):
                insert_delivery(tx, _delivery(number, channel))
        database.close()
        monkeypatch.setenv("LUPUS_URL", str(service.http.base_url))

        def run(*arguments: str, code: int = 0) -> Any:
            assert main(["deliveries", *arguments, "--json"]) == code
            return json.loads(capsys.readouterr().out)

        assert [one["id"] for one in run("list")] == ["msg_2", "msg_1", "msg_0"]
        assert [one["id"] for one in run("list", "--channel", "a", "--limit", "1")] == ["msg_1"]
        assert run("replay", "msg_2") == {"replayed": 1}
        assert [one["id"] for one in run("list", "--state", "pending")] == ["msg_2"]
        assert run("replay", "--all", "--channel", "a") == {"replayed": 2}
        assert run("list", "--state", "dead") == []
        for wrong in (["replay"], ["replay", "msg_1", "--all"], ["replay", "msg_1", "--run", "x"]):
            assert "--all" in run(*wrong, code=64)["error"]
        assert "does not exist" in run("replay", "msg_9", code=64)["error"]
