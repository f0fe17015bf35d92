"""The starter of servers: what it says, writes and ends. Tiny scripts stand as servers here."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers import servers
from tests.servers.servers import Round, Server

SCRIPT = """#!/bin/sh
case "$1" in
  up) [ -e "$0.broken" ] && { echo "the reason" >&2; exit 3; }
      touch "$0.runs"; echo "chatter"; echo "export LUPUS_TEST_$NAME=here" ;;
  down) rm "$0.runs" ;;
  status) [ -e "$0.runs" ] ;;
esac
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "SERVERS_DIR", tmp_path / "servers")
    monkeypatch.setattr(servers, "ENV_FILE", tmp_path / ".servers.env")
    monkeypatch.setattr(servers, "prepare", lambda: None)


def _server(folder: Path, name: str, after: str = "", broken: bool = False) -> Server:
    (folder / name).mkdir()
    script = folder / name / "server"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    if broken:
        script.with_name("server.broken").touch()
    first = {"up": after} if after else {}
    return Server(name, folder / name, {"NAME": name.upper()}, first)


def test_up_prints_and_keeps_the_addresses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    servers.ENV_FILE.write_text("export LUPUS_TEST_A=old\nexport LUPUS_TEST_C=other\n")
    chosen = [_server(tmp_path, "a"), _server(tmp_path, "b", after="a")]
    assert servers.up(chosen, record=None)
    assert capsys.readouterr().out.splitlines() == [
        "export LUPUS_TEST_A=here",
        "export LUPUS_TEST_B=here",
    ]
    assert servers.ENV_FILE.read_text().splitlines() == [
        "export LUPUS_TEST_A=here",
        "export LUPUS_TEST_B=here",
        "export LUPUS_TEST_C=other",
    ]
    assert servers.ENV_FILE.stat().st_mode & 0o077 == 0


def test_a_server_that_does_not_start_fails_with_the_end_of_its_log(tmp_path: Path) -> None:
    told: list[str] = []
    chosen = [
        _server(tmp_path, "a", broken=True),
        _server(tmp_path, "b", after="a"),
        _server(tmp_path, "c"),
    ]
    assert not Round("up", told.append).over(chosen)
    said = "\n".join(told)
    assert "a: up FAILED" in said
    assert "the reason" in said
    assert "b: not tried, for it needs a" in said
    assert "c: up after" in said


def test_only_what_was_started_is_ended(tmp_path: Path) -> None:
    record = tmp_path / "record"
    one, two = _server(tmp_path, "a"), _server(tmp_path, "b")
    assert servers.up([one], record=None)
    assert servers.up([one, two], record)
    assert servers.down([one, two], record)
    assert one.does("status")[0]
    assert not two.does("status")[0]


def test_a_record_ends_those_too_that_nobody_need_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.ci/run` starts `all` and ends its record; two Hive servers once stayed."""
    both = [_server(tmp_path, "a"), replace(_server(tmp_path, "b"), unasked=False)]
    monkeypatch.setattr(servers, "servers", lambda: both)
    record = ["--record", str(tmp_path / "record")]
    assert servers.main(["up", "all", *record]) == 0
    assert servers.main(["down", *record]) == 0
    assert [one.does("status")[0] for one in both] == [False, False]


def test_every_server_of_either_way_has_its_script(monkeypatch: pytest.MonkeyPatch) -> None:
    for way in ("packages", "docker"):
        monkeypatch.setenv("LUPUS_SERVERS", way)
        for server in servers.servers():
            checked = [server.folder / "server", *server.folder.parent.glob("*.sh")]
            for script in checked:
                shell = "bash" if "bash" in script.read_text() or script.suffix else "sh"
                subprocess.run([shell, "-n", script], check=True)
            assert (server.folder / "server").stat().st_mode & 0o100, server.name


def test_an_unknown_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUPUS_SERVERS", "packages")
    starter = Path(servers.__file__)
    asked = subprocess.run(
        [sys.executable, starter, "up", "oracle"], capture_output=True, text=True, check=False
    )
    assert asked.returncode == 2
    assert "no server oracle; there are kubernetes, s3" in asked.stderr
