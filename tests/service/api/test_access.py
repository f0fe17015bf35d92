"""Every route and every kind of caller: a route without a row in `routes.py` fails."""

import threading
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import event

from service.auth.caller import VERBS, Verb
from service.auth.issue import revoke_token
from service.auth.rotate import rotate_token
from service.auth.secret import hash_token
from service.clock import HOUR_MS
from service.database.tokens import token_by_hash, update_token
from tests.service.api.house import House, detection
from tests.service.api.routes import OPEN, ROWS, Row, ask, missing_objects, objects_of, prepare

SEEN, HIDDEN = "acc.seen", "acc.hidden"
_TELLING = ("source", "detection", "ingest", "anomaly", "delivery")
_OWN_HEADERS = ("x-request-id", "content-length")


@dataclass(frozen=True)
class Asker:
    """A caller: no verbs means that the service does not know it."""

    client: httpx2.Client
    verbs: tuple[Verb, ...] = ()
    everywhere: bool = False
    sees: bool = True  # the source that is asked for

    def should_hear(self, row: Row) -> int:
        if not self.verbs:
            return 401
        verb = row.verb is None or row.verb in self.verbs
        if row.scope == "source" and not self.sees:
            return 404
        if row.scope == "all" and not self.everywhere:
            return 403
        return row.fine if verb else 403


@pytest.fixture(scope="module")
def ids(idle: House) -> dict[str, str]:
    return objects_of(idle, SEEN)


@pytest.fixture(scope="module")
def hidden(idle: House) -> dict[str, str]:
    return objects_of(idle, HIDDEN)


def _id(house: House, secret: str) -> str:
    with house.resources.database.read() as tx:
        token = token_by_hash(tx, hash_token(secret))
    assert token is not None
    return token.id


def _rotated(house: House, overlap_ms: int) -> str:
    """The secret before the newest."""
    old = house.token()
    now_ms = house.resources.clock.now_ms()
    rotate_token(house.resources.database, _id(house, old), overlap_ms, now_ms, "test")
    return old


def _replaced(house: House) -> str:
    """A secret whose overlap was over an hour ago."""
    old = _rotated(house, HOUR_MS)
    over_ms = house.resources.clock.now_ms() - HOUR_MS
    with house.resources.database.write() as tx:
        found = token_by_hash(tx, hash_token(old))
        assert found is not None
        update_token(tx, found.id, {"previous_until_ms": over_ms})
    return old


def _revoked(house: House) -> str:
    secret = house.token()
    now_ms = house.resources.clock.now_ms()
    revoke_token(house.resources.database, _id(house, secret), now_ms, "test")
    return secret


@pytest.fixture(scope="module")
def askers(idle: House) -> dict[str, Asker]:
    def strange(token: str | None, **client: Any) -> Asker:
        return Asker(idle.client(token, **client))

    def known(sources: str, *verbs: Verb, sees: bool = True) -> Asker:
        token = idle.token([sources], verbs)
        return Asker(idle.client(token), verbs, set(sources) == {"*"}, sees)

    return {
        "nobody, from elsewhere": strange(None, client=("10.1.2.3", 4000)),
        "nobody, by a rebound name": strange(None, base_url="http://evil.example:8700"),
        "a wrong token": strange("lps_wrong"),
        "an expired token": strange(idle.token(life_ms=-1)),
        "a revoked token": strange(_revoked(idle)),
        "a replaced secret": strange(_replaced(idle)),
        **{f"{verb} on the source": known(SEEN, verb) for verb in VERBS},
        **{f"{verb} everywhere": known("*", verb) for verb in VERBS},
        "all on the source": known(SEEN, *VERBS),
        "all on what begins so": known("acc.s*", *VERBS),
        "all on what ends so": known("*.seen", *VERBS),
        "all on another source": known("acc.other", *VERBS, sees=False),
        "all on half the name": known("acc.see", *VERBS, sees=False),
        "all on what is below it": known("acc.s*n.*", *VERBS, sees=False),
        "all everywhere": known("*", *VERBS),
        "all everywhere, in two stars": known("**", *VERBS),
        "the secret before": Asker(idle.client(_rotated(idle, HOUR_MS)), VERBS, True),
        "the local administrator": Asker(idle.http, VERBS, True),
    }


def test_every_route_has_a_row(idle: House) -> None:
    described = {(row.method, row.path.partition("?")[0]) for row in ROWS} | OPEN
    served = {
        (method, context.path)
        for context in iter_route_contexts(idle.app.routes)
        if isinstance(context.original_route, APIRoute)
        for method in context.original_route.methods or ()
    }
    assert served == described


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
def test_each_route_answers_each_caller_as_it_should(
    idle: House, ids: dict[str, str], askers: dict[str, Asker], row: Row
) -> None:
    should = {name: asker.should_hear(row) for name, asker in askers.items()}
    heard = {name: ask(idle, asker.client, row, ids) for name, asker in askers.items()}
    assert {name: answer.status_code for name, answer in heard.items()} == should
    for name, answer in heard.items():
        if not askers[name].sees:
            said = [ids[kind] for kind in _TELLING if ids[kind] in answer.text]
            asked = f"{answer.request.url} {answer.request.content!r}"
            assert [one for one in said if one not in asked] == [], name


class _Work:
    """What a request makes the database do."""

    def __init__(self, house: House) -> None:
        self._engine = house.resources.database.engine
        self.statements: list[str] = []

    def __enter__(self) -> "_Work":
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, _: Any, __: Any, statement: str, *___: Any) -> None:
        # Notes of a token's use and looks at runs are made beside the request.
        if not threading.current_thread().name.startswith(("last-use", "watch")):
            self.statements.append(statement)


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.scope == "source"],
    ids=lambda row: f"{row.method} {row.path}",
)
def test_what_is_hidden_and_what_is_missing_answer_alike(
    idle: House, hidden: dict[str, str], row: Row
) -> None:
    """The same status, headers and words, after the same statements: nothing to tell them by."""
    client = idle.client(idle.token(["acc.other"]))
    client.get("/v1/me")
    heard = []
    for objects in (hidden, missing_objects()):
        path, body = prepare(idle, row, objects)
        with _Work(idle) as work:
            answer = client.request(row.method, path, json=body)
        text = answer.text
        for value in objects.values():
            text = text.replace(value, "?")
        headers = {k: v for k, v in answer.headers.items() if k not in _OWN_HEADERS}
        heard.append((answer.status_code, headers, text, work.statements))
    assert heard[0] == heard[1]
    assert heard[0][0] == 404


def test_lists_and_searches_hold_only_what_the_caller_may_see(
    idle: House, ids: dict[str, str], hidden: dict[str, str]
) -> None:
    mine = idle.client(idle.token([SEEN], ["read"]))
    runs = mine.get("/v1/detections", params={"limit": 1000}).json()["items"]
    assert {run["source"] for run in runs} == {SEEN}
    assert [one["name"] for one in mine.get("/v1/sources").json()["items"]] == [SEEN]
    for path, of in (("/v1/anomalies", "run"), ("/v1/deliveries", "run")):
        assert mine.get(path, params={"source": HIDDEN}).status_code == 404
        hit = mine.get(path, params={of: hidden["detection"]}).json()
        miss = mine.get(path, params={of: missing_objects()["detection"]}).json()
        assert hit == miss == {"items": [], "cursor": None}


def test_a_cursor_of_somebody_who_sees_more_shows_no_more(
    idle: House, ids: dict[str, str], hidden: dict[str, str]
) -> None:
    mine = idle.client(idle.token([SEEN], ["read"]))
    for path in ("/v1/detections", "/v1/sources", "/v1/anomalies", "/v1/deliveries"):
        cursor: str | None = None
        for _ in range(8):
            after = {"cursor": cursor} if cursor else {}
            cursor = idle.http.get(path, params={"limit": "1", **after}).json()["cursor"]
            if cursor is None:
                break
            shown = mine.get(path, params={"limit": 1000, "cursor": cursor})
            assert HIDDEN not in shown.text, path


def test_names_in_bodies_tell_nothing_of_what_is_hidden(
    idle: House, ids: dict[str, str], hidden: dict[str, str]
) -> None:
    mine = idle.client(idle.token([SEEN]))

    def told(**more: Any) -> tuple[int, str]:
        answer = mine.post("/v1/detections", json=detection(SEEN, **more))
        text = answer.text
        for name in (hidden["ingest"], missing_objects()["ingest"]):
            text = text.replace(name, "?")
        return answer.status_code, text

    assert told(after=[hidden["ingest"]]) == told(after=[missing_objects()["ingest"]])
    assert told(after=[hidden["ingest"]])[0] == 422


def test_keys_of_others_make_no_replay(idle: House, hidden: dict[str, str]) -> None:
    """An Idempotency-Key belongs to its caller: another one learns nothing by sending it."""
    key = {"Idempotency-Key": "acc-key"}
    first = idle.http.post("/v1/detections", json=detection(HIDDEN), headers=key)
    assert first.status_code == 202
    other = idle.client(idle.token([SEEN, "acc.other"]))
    assert other.post("/v1/detections", json=detection(HIDDEN), headers=key).status_code == 404
    mine = other.post("/v1/detections", json=detection(SEEN), headers=key)
    assert mine.status_code == 202
    assert "Idempotency-Replayed" not in mine.headers


def test_a_token_reads_and_rotates_itself_and_no_other(idle: House) -> None:
    secret, other = idle.token([SEEN], ["ingest"]), idle.token([SEEN], ["ingest"])
    mine, id_ = idle.client(secret), _id(idle, secret)
    assert mine.get(f"/v1/tokens/{id_}").json()["sources"] == [SEEN]
    new = mine.post(f"/v1/tokens/{id_}/rotate").json()["token"]
    assert idle.client(new).get("/v1/me").json()["name"] == f"token:{id_}"
    assert mine.get("/v1/me").json()["expires_soon"] is True, "the old secret ends tomorrow"
    for path in (f"/v1/tokens/{_id(idle, other)}", "/v1/tokens/nothing"):
        assert mine.get(path).status_code == 403
        assert mine.post(f"{path}/rotate").status_code == 403
    assert mine.patch(f"/v1/tokens/{id_}", json={"verbs": ["manage"]}).status_code == 403


def test_what_is_taken_from_a_token_ends_with_the_next_request(idle: House) -> None:
    secret = idle.token([SEEN, HIDDEN])
    client, id_ = idle.client(secret), _id(idle, secret)
    assert client.get(f"/v1/sources/{HIDDEN}").status_code == 200
    changed = idle.call("PATCH", f"/v1/tokens/{id_}", json={"sources": [SEEN], "name": "less"})
    assert (changed["sources"], changed["name"]) == ([SEEN], "less")
    assert client.get(f"/v1/sources/{HIDDEN}").status_code == 404
    refused = idle.call("PATCH", f"/v1/tokens/{id_}", 422, json={"expires_in": "0s"})
    assert refused["errors"][0]["pointer"] == "/expires_in"
    assert idle.call("PATCH", f"/v1/tokens/{id_}", json={"expires_at": None})["expires_at"] is None
    both = {"expires_in": "1d", "expires_at": "2100-01-01"}
    assert "one of them" in idle.call("PATCH", f"/v1/tokens/{id_}", 422, json=both)["detail"]
    idle.call("DELETE", f"/v1/tokens/{id_}", 204)
    idle.call("PATCH", f"/v1/tokens/{id_}", 409, json={"expires_in": "90d"})
