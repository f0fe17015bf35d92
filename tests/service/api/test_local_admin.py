"""The local administrator is the person at this machine, never a web page or a proxy."""

import time
from pathlib import Path

import pytest

from service.app import open_app
from service.auth.local_guard import why_not_local
from service.errors import SettingsError
from tests.service.api.house import DAY_MS, House, idle_settings, settings_of


@pytest.mark.parametrize(
    ("headers", "client", "refused"),
    [
        ({"host": "127.0.0.1:8700"}, "127.0.0.1", None),
        ({"host": "localhost"}, "127.0.0.1", None),
        ({"host": "[::1]:8700"}, "::1", None),
        ({"host": "127.0.0.1:8700", "origin": "http://127.0.0.1:8700"}, "127.0.0.1", None),
        ({"host": "localhost:8700", "sec-fetch-site": "same-origin"}, "127.0.0.1", None),
        ({}, "127.0.0.1", "Host"),
        ({"host": "evil.example"}, "127.0.0.1", "Host"),
        ({"host": "127.0.0.1.evil.example:8700"}, "127.0.0.1", "Host"),
        ({"host": "localhost.evil.example"}, "127.0.0.1", "Host"),
        ({"host": "192.168.1.5:8700"}, "127.0.0.1", "Host"),
        ({"host": "127.0.0.1:8700"}, "192.168.1.5", "this machine"),
        ({"host": "127.0.0.1:8700"}, None, "this machine"),
        ({"host": "localhost:8700", "origin": "http://evil.example"}, "127.0.0.1", "Origin"),
        ({"host": "localhost:8700", "origin": "http://localhost:3000"}, "127.0.0.1", "Origin"),
        ({"host": "localhost:8700", "origin": "null"}, "127.0.0.1", "Origin"),
        ({"host": "localhost:8700", "sec-fetch-site": "cross-site"}, "127.0.0.1", "Sec-Fetch"),
        ({"host": "localhost:8700", "x-forwarded-for": "1.2.3.4"}, "127.0.0.1", "proxy"),
        ({"host": "localhost:8700", "forwarded": "for=1.2.3.4"}, "127.0.0.1", "proxy"),
    ],
)
def test_who_counts_as_local(
    headers: dict[str, str], client: str | None, refused: str | None
) -> None:
    reason = why_not_local(headers, client)
    assert (reason is None) == (refused is None), reason
    assert refused is None or refused in str(reason)


def test_a_wrong_token_is_not_the_local_administrator(idle: House) -> None:
    for header in ("Bearer lps_wrong", "Bearer x", "Basic abc", ""):
        answer = idle.http.get("/v1/me", headers={"authorization": header})
        assert answer.status_code == 401, header
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_the_local_administrator_stays_when_tokens_exist(idle: House) -> None:
    idle.token()
    assert idle.call("GET", "/v1/me")["name"] == "local"


def test_it_can_be_turned_off(tmp_path: Path) -> None:
    with open_app(idle_settings(tmp_path, local_admin=False)) as app:
        house = House(app)
        answer = house.http.get("/v1/me")
        assert answer.status_code == 401
        assert "lupus-server token create" in answer.json()["detail"]
        assert house.client(house.token()).get("/v1/me").status_code == 200


def test_an_open_address_without_any_token_is_refused_with_what_to_do(tmp_path: Path) -> None:
    opened = settings_of(tmp_path, host="0.0.0.0", worker=False)
    with pytest.raises(SettingsError, match="lupus-server token create"), open_app(opened):
        pass
    with open_app(idle_settings(tmp_path)) as app:
        house = House(app)
        short = house.token(life_ms=-1)
        with pytest.raises(SettingsError, match="token create"), open_app(opened):
            pass
        token = house.token()
    with open_app(opened) as app:
        house = House(app)
        assert house.http.get("/v1/me").status_code == 401, "nobody is the local administrator"
        assert house.client(short).get("/v1/me").json()["detail"] == "this token has expired"
        assert house.client(token, client=("10.0.0.5", 1)).get("/v1/me").status_code == 200


def test_a_token_is_shown_once_used_and_revoked(idle: House) -> None:
    body = {
        "name": "nightly",
        "sources": ["job.*"],
        "verbs": ["read", "detect"],
        "expires_in": "90d",
    }
    made = idle.call("POST", "/v1/tokens", 201, json=body)
    assert made["token"].startswith("lps_")
    client = idle.client(made["token"])
    me = client.get("/v1/me").json()
    assert me == {
        "name": f"token:{made['id']}",
        "grants": [{"sources": ["job.*"], "verbs": ["read", "detect"]}],
        "expires_at": made["expires_at"],
        "expires_soon": False,
    }
    listed = idle.http.get("/v1/tokens", params={"limit": 1000})
    assert made["token"] not in listed.text
    mine = next(one for one in listed.json()["items"] if one["id"] == made["id"])
    assert mine["expires_at"] is not None
    deadline = time.monotonic() + 60
    while idle.call("GET", f"/v1/tokens/{made['id']}")["last_used_at"] is None:
        assert time.monotonic() < deadline, "a use is noted soon"
        time.sleep(0.02)
    idle.call("DELETE", f"/v1/tokens/{made['id']}", 204)
    assert client.get("/v1/me").json()["detail"] == "this token was revoked"
    idle.call("DELETE", f"/v1/tokens/{made['id']}", 204)  # again, after a lost answer
    idle.call("DELETE", "/v1/tokens/nothing", 404)


def test_only_the_hash_of_a_token_is_stored(tmp_path: Path) -> None:
    with open_app(idle_settings(tmp_path)) as app:
        token = House(app).token(life_ms=DAY_MS)
    for file in (tmp_path / "data").rglob("*"):
        if file.is_file():
            assert token.encode() not in file.read_bytes(), file.name


def test_probes_need_nobody_and_metrics_may_be_opened(tmp_path: Path) -> None:
    opened = idle_settings(tmp_path, metrics_public=True, local_admin=False)
    with open_app(opened) as app:
        house = House(app)
        stranger = house.client(client=("10.9.9.9", 1), base_url="http://lupus.example")
        for path in ("/livez", "/readyz", "/metrics"):
            assert stranger.get(path).status_code == 200, path
        house.resources.stopping.set()
        assert stranger.get("/readyz").status_code == 503
        assert stranger.get("/livez").status_code == 200
