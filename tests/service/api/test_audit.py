"""Every change is in the audit log, in the same transaction; nothing else is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select

from service.database import tables
from service.database.audit import AuditFilter, list_changes
from service.identifier import new_id
from tests.service.api.house import House, daily
from tests.service.api.routes import ROWS, Row, ask, objects_of, prepare

# What each changing route is called in the log; None: it changes nothing yet.
ACTIONS = {
    "POST /v1/detections": "run.accept",
    "POST /v1/detections/{detection}/rerun": "run.rerun",
    "POST /v1/detections/{detection}/cancel": "run.cancel",
    "PATCH /v1/anomalies/{anomaly}": "anomaly.verdict",
    "PUT /v1/sources/{source}": "source.put",
    "DELETE /v1/sources/{source}": "source.delete",
    "POST /v1/sources/{source}/points": "ingest.accept",
    "PUT /v1/sources/{source}/metrics/job/{grouping:path}": "ingest.accept",
    "POST /v1/sources/{source}/metrics/job/{grouping:path}": "ingest.accept",
    "DELETE /v1/sources/{source}/metrics/job/{grouping:path}": None,
    "POST /v1/sources/{source}/prometheus/write": None,  # refused as the row has no body
    "POST /v1/sources/{source}/pipelines": "ingest.accept",
    "POST /v1/sources/{source}/events": "event.put",
    "DELETE /v1/sources/{source}/events/{name:path}": "event.delete",
    "POST /v1/sources/{source}/uploads": None,
    "PUT /v1/channels/{channel}": "channel.put",
    "POST /v1/channels/{channel}/test": "channel.test",
    "DELETE /v1/channels/{channel}": "channel.delete",
    "POST /v1/deliveries/{delivery}/replay": "delivery.replay",
    "POST /v1/deliveries/replay": "delivery.replay",
    "POST /v1/tokens": "token.create",
    "PATCH /v1/tokens/{token}": "token.change",
    "POST /v1/tokens/{token}/rotate": "token.rotate",
    "DELETE /v1/tokens/{token}": "token.revoke",
}
_CHANGING = [row for row in ROWS if row.method != "GET"]


def _name(row: Row) -> str:
    return f"{row.method} {row.path.partition('?')[0]}"


def _done(row: Row) -> Row:
    """The row's request when it does what it says, not a dry run."""
    return Row(row.method, row.path.partition("?")[0], row.verb, row.scope, row.json, row.fine)


@pytest.fixture
def objects(idle: House) -> dict[str, str]:
    """Of a source that no other test changes."""
    return objects_of(idle, f"audit.{new_id(idle.resources.clock.now_ms()).lower()}")


def _log(house: House, request: str) -> list[tuple[str, str, str]]:
    with house.resources.database.read() as tx:
        found = list_changes(tx, 100, AuditFilter(request=request))
    return [(entry.action, entry.caller, str(entry.detail)) for entry in found]


def _tables(house: House) -> dict[str, list[tuple[Any, ...]]]:
    """All that the database holds."""
    with house.resources.database.read() as tx:
        return {
            table.name: sorted((tuple(row) for row in tx.execute(select(table))), key=repr)
            for table in tables.metadata.sorted_tables
        }


@contextmanager
def _full_log(house: House) -> Iterator[None]:
    """Nothing can be logged."""
    with house.resources.database.write() as tx:
        tx.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    try:
        yield
    finally:
        with house.resources.database.write() as tx:
            tx.exec_driver_sql("DROP TRIGGER full")


def test_every_changing_route_is_listed() -> None:
    assert {_name(row) for row in _CHANGING} == set(ACTIONS)


@pytest.mark.parametrize("row", _CHANGING, ids=_name)
class TestEachChange:
    def test_it_is_logged_once_with_caller_and_request(
        self, idle: House, objects: dict[str, str], row: Row
    ) -> None:
        client = idle.client(idle.token())
        me = client.get("/v1/me")
        answer = ask(idle, client, _done(row), objects)
        assert answer.status_code == row.fine, answer.text
        action = ACTIONS[_name(row)]
        logged = _log(idle, answer.headers["x-request-id"])
        assert [one[:2] for one in logged] == ([(action, me.json()["name"])] if action else [])
        content = answer.json() if answer.content else {}
        secrets = [content[name] for name in ("token", "new_secret") if content.get(name)]
        assert not [secret for secret in secrets if secret in str(logged)]
        assert _log(idle, me.headers["x-request-id"]) == [], "reading changes nothing"

    def test_without_its_entry_there_is_no_change(
        self, idle: House, objects: dict[str, str], row: Row
    ) -> None:
        if ACTIONS[_name(row)] is None:
            return
        path, body = prepare(idle, _done(row), objects)
        before = _tables(idle)
        with _full_log(idle):
            answer = idle.http.request(row.method, path, json=body)
        assert answer.status_code == 503, answer.text
        assert _tables(idle) == before


def test_a_refused_change_leaves_no_entry(idle: House, objects: dict[str, str]) -> None:
    path = f"/v1/sources/{objects['source']}"
    refused = idle.http.put(path, json={"kind": "managed", "timezone": "nowhere"})
    assert refused.status_code == 422
    assert _log(idle, refused.headers["x-request-id"]) == []
    reader = idle.client(idle.token([objects["source"]], ["read"]))
    forbidden = reader.put(path, json={"kind": "managed"})
    assert forbidden.status_code == 403
    assert _log(idle, forbidden.headers["x-request-id"]) == []


def test_a_replay_and_a_repeated_end_are_logged_once(idle: House, objects: dict[str, str]) -> None:
    source = objects["source"]
    key = {"Idempotency-Key": source}
    sent = [
        idle.http.post(f"/v1/sources/{source}/points", json={"points": daily([1.0])}, headers=key)
        for _ in range(2)
    ]
    assert [one[0] for one in _log(idle, sent[0].headers["x-request-id"])] == ["ingest.accept"]
    assert _log(idle, sent[1].headers["x-request-id"]) == []
    cancel = f"/v1/detections/{objects['detection']}/cancel"
    ended = [idle.http.post(cancel) for _ in range(2)]
    assert [one[0] for one in _log(idle, ended[0].headers["x-request-id"])] == ["run.cancel"]
    assert _log(idle, ended[1].headers["x-request-id"]) == []


class TestReadingTheLog:
    def _ask(self, house: House, **which: Any) -> dict[str, Any]:
        return house.call("GET", "/v1/audit", params=which)

    def test_filters_narrow_it(self, idle: House, objects: dict[str, str]) -> None:
        source = objects["source"]
        client = idle.client(idle.token())
        me = client.get("/v1/me").json()["name"]
        put = client.put(
            f"/v1/sources/{source}", json={"kind": "managed", "timezone": "Asia/Tokyo"}
        )
        [mine] = self._ask(idle, caller=me)["items"]
        assert (mine["action"], mine["object"]) == ("source.put", source)
        assert mine["detail"]["timezone"] == "Asia/Tokyo"
        assert mine["request"] == put.headers["x-request-id"]
        assert self._ask(idle, request=mine["request"])["items"] == [mine]
        both = self._ask(idle, object=source)["items"]
        assert [entry["caller"] for entry in both] == [me, "local"]
        assert self._ask(idle, object=source, action="source")["items"] == both
        assert self._ask(idle, object=source, action="source.put")["items"] == both
        assert self._ask(idle, object=source, action="sourc")["items"] == []
        assert self._ask(idle, object=source, action="sourc_")["items"] == []
        assert self._ask(idle, object=source, since=mine["at"])["items"][0] == mine
        assert mine not in self._ask(idle, object=source, until=mine["at"])["items"]

    def test_pages_follow_each_other(self, idle: House, objects: dict[str, str]) -> None:
        source = objects["source"]
        for _ in range(4):
            idle.source(source)
        whole = self._ask(idle, object=source)["items"]
        seen: list[Any] = []
        cursor: dict[str, str] = {}
        while True:
            page = self._ask(idle, object=source, limit=2, **cursor)
            seen += page["items"]
            if page["cursor"] is None:
                break
            cursor = {"cursor": page["cursor"]}
        assert seen == whole
        assert len(seen) == 5
        assert [entry["id"] for entry in seen] == sorted((e["id"] for e in seen), reverse=True)

    def test_wrong_filters_say_what_is_allowed(self, idle: House) -> None:
        for which, name in (
            ({"since": "yesterday"}, "since"),
            ({"cursor": "x"}, "cursor"),
            ({"who": "x"}, "who"),
        ):
            refused = idle.call("GET", "/v1/audit", 422, params=which)
            assert refused["errors"][0]["parameter"] == name
