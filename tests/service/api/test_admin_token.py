"""The administrator's token of the settings opens a service that has no other token yet."""

from pathlib import Path

import pytest

from service.app import open_app
from service.errors import SettingsError
from tests.service.api.house import House, idle_settings

TOKEN, OTHER = "lps_" + "a" * 40, "lps_" + "b" * 40
OPEN = "0.0.0.0"


def asked(house: House, header: str) -> int:
    return house.http.get("/v1/me", headers={"authorization": header}).status_code


def test_a_service_that_others_can_reach_starts_with_it(tmp_path: Path) -> None:
    with (
        pytest.raises(SettingsError, match="LUPUS_ADMIN_TOKEN"),
        open_app(idle_settings(tmp_path, host=OPEN)),
    ):
        pass
    with open_app(idle_settings(tmp_path, host=OPEN, admin_token=TOKEN)) as app:
        house = House(app)
        assert house.http.get("/v1/me").status_code == 401
        assert asked(house, f"Bearer {OTHER}") == 401
        assert asked(house, f"Bearer {TOKEN[:-1]}") == 401
        assert asked(house, f"Basic {TOKEN}") == 401
        assert asked(house, f"Bearer {house.token()}") == 200
        made = house.client(TOKEN).post(
            "/v1/tokens", json={"name": "job", "sources": ["*"], "verbs": ["read"]}
        )
        assert made.status_code == 201, made.text
        assert house.client(TOKEN).get("/v1/me").json()["name"] == "admin"


def test_a_rotated_file_holds_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    monkeypatch.setenv("LUPUS_ADMIN_TOKEN_FILE", str(file))
    with open_app(idle_settings(tmp_path, host=OPEN)) as app:
        house = House(app)
        assert asked(house, f"Bearer {TOKEN}") == 200
        file.write_text(OTHER)
        assert asked(house, f"Bearer {TOKEN}") == 401
        assert asked(house, f"Bearer {OTHER}") == 200
        file.unlink()
        assert asked(house, f"Bearer {OTHER}") == 401, "and no 500"
        file.write_text("")
        assert asked(house, "Bearer ") == 401
