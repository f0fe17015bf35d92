"""What is done at the command line is in the audit log, which the command line shows."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.cli import main
from service.cli.who import person


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUPUS_DATA", str(tmp_path / "data"))


def _said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_command_that_changes_something_says_who_typed_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _said(capsys, "migrate")
    token = _said(capsys, "token", "create", "--name", "job", "--source", "team-a.*")
    rotated = _said(capsys, "token", "rotate", token["id"], "--overlap", "1h")
    _said(capsys, "token", "revoke", token["id"])
    points = tmp_path / "points.csv"
    points.write_text("metric,time,value\nndcg,2026-06-01,0.4\n")
    _said(capsys, "import", str(points), "--source", "a.b", "--create")
    _said(capsys, "compact", "a.b")
    _said(capsys, "rebuild-index")
    _said(capsys, "retention", "--older-than", "1mo", "--dry-run")
    found = _said(capsys, "audit")
    assert [entry["action"] for entry in found] == [
        "index.rebuild",
        "source.compact",
        "ingest.accept",
        "source.put",
        "token.revoke",
        "token.rotate",
        "token.create",
        "database.migrate",
    ]
    assert {entry["caller"] for entry in found} == {person()}
    assert token["token"] not in str(found)
    assert rotated["token"] not in str(found)
    assert rotated["previous_until"] is not None


def test_the_log_is_narrowed_and_read_by_people(capsys: pytest.CaptureFixture[str]) -> None:
    one = _said(capsys, "token", "create", "--name", "one", "--all")
    _said(capsys, "token", "create", "--name", "two", "--all")
    assert len(_said(capsys, "audit", "--action", "token")) == 2
    [mine] = _said(capsys, "audit", "--object", one["id"])
    assert mine["detail"]["name"] == "one"
    assert len(_said(capsys, "audit", "--since", "1h", "--limit", "1")) == 1
    assert _said(capsys, "audit", "--until", "1h") == []
    assert _said(capsys, "audit", "--caller", "nobody") == []
    capsys.readouterr()
    assert main(["audit"]) == 0
    assert "Changes" in capsys.readouterr().out
    assert main(["audit", "--since", "yesterday"]) == 64
    assert "an age such as 7d" in capsys.readouterr().err


def test_a_life_that_is_too_long_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUPUS_TOKEN_MAX_DAYS", "30")
    create = ("token", "create", "--name", "a", "--all")
    assert main([*create, "--expires-in", "31d"]) == 64
    assert "LUPUS_TOKEN_MAX_DAYS" in capsys.readouterr().err
    assert _said(capsys, *create)["expires"] is not None, "the longest life is the default"
    [listed] = _said(capsys, "token", "list")
    assert listed["note"] == ""
    _said(capsys, *create, "--expires-in", "13d")
    assert _said(capsys, "token", "list")[1]["note"] == "ends within 14 days"
