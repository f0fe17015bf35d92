"""What the doctor says of an embedded service, sound and broken."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.app import open_resources
from service.cli import main
from service.doctor.examination import examine, failed
from service.doctor.objects import check_objects
from service.settings import Settings
from storage.check import Finding
from storage.folder import FolderObjects
from tests.service.clocks import NOON
from tests.service.doctor.patient import failures, part_of, patient, the_failure
from tests.service.hooks import put_webhook

SECRET = "a-very-secret-key-of-32-characters!!"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def used(settings: Settings) -> None:
    """Start once, so that every file is there, with a channel's secret in the database."""
    with open_resources(settings) as resources, resources.database.write() as tx:
        put_webhook(tx, resources.box, "https://example.com/x", NOON, events=("failed",))


def test_nothing_fails_before_the_first_start_and_nothing_is_left(tmp_path: Path) -> None:
    findings = examine(patient(tmp_path))
    assert failures(findings) == {}
    assert not failed(findings)
    assert list(tmp_path.iterdir()) == []


def test_nothing_fails_after_the_first_start(tmp_path: Path) -> None:
    settings = patient(tmp_path)
    used(settings)
    before = sorted(tmp_path.rglob("*"))
    findings = examine(settings)
    assert failures(findings) == {}
    told = {f"{one.part}: {one.check}": one.detail for one in findings}
    assert told["database: revision"] == "of this version"
    assert told["secrets: key"] == "opens the secrets of 1 channels"
    assert told["objects: conditional put"] == "a name is created once"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    finding = the_failure(patient(tmp_path, scratch=tmp_path / "file"))
    assert (finding.part, finding.check) == ("folders", "scratch folder")
    assert "LUPUS_SCRATCH" in finding.advice


def test_a_broken_database_file_is_named(tmp_path: Path) -> None:
    settings = patient(tmp_path)
    used(settings)
    for name in ("lupus.db-wal", "lupus.db-shm"):
        (settings.folder / name).unlink(missing_ok=True)
    (settings.folder / "lupus.db").write_bytes(b"no database at all" * 1000)
    finding = the_failure(settings)
    assert (finding.part, finding.check) == ("database", "reach")
    assert "backup" in finding.advice


def test_a_broken_index_file_is_named(tmp_path: Path) -> None:
    settings = patient(tmp_path)
    settings.folder.mkdir()
    (settings.folder / "index.db").write_bytes(b"no database at all" * 1000)
    finding = the_failure(settings)
    assert (finding.part, finding.check) == ("index", "documents")
    assert "rebuild-index" in finding.advice


def test_another_key_is_noticed(tmp_path: Path) -> None:
    used(patient(tmp_path))
    finding = the_failure(patient(tmp_path, secret_key=SECRET), SECRET)
    assert (finding.part, finding.check) == ("secrets", "key")
    assert "channel chat" in finding.detail


@pytest.mark.parametrize("broken", ["missing", "empty"])
def test_a_secret_that_cannot_be_read_later_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    file = tmp_path / "password"
    file.write_text("first")
    monkeypatch.setenv("LUPUS_DATABASE_PASSWORD_FILE", str(file))
    settings = patient(tmp_path)
    assert part_of(settings, "secrets")["LUPUS_DATABASE_PASSWORD_FILE"].state == "warning"
    file.chmod(0o600)
    assert part_of(settings, "secrets")["LUPUS_DATABASE_PASSWORD_FILE"].state == "ok"
    if broken == "missing":
        file.unlink()
    else:
        file.write_text("\n")
    finding = the_failure(settings, only=["secrets"])
    assert finding.check == "LUPUS_DATABASE_PASSWORD_FILE"


def test_a_connection_without_its_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(f'[warehouse]\nurl = "file://{tmp_path}/nowhere"\n')
    finding = the_failure(patient(tmp_path, connections_file=tmp_path / "c.toml"))
    assert (finding.part, finding.check) == ("connection warehouse", "read")


def test_a_bundle_without_certificates_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none")
    finding = the_failure(patient(tmp_path, ca_bundle=tmp_path / "ca.pem"), only=["network"])
    assert (finding.part, finding.check) == ("network", "LUPUS_CA_BUNDLE")


class _Overwriting(FolderObjects):
    def create(self, name: str, data: bytes) -> None:
        self.put(name, data)


def test_objects_that_can_be_created_twice_are_refused(tmp_path: Path) -> None:
    findings = list(check_objects("objects", _Overwriting(tmp_path / "o"), "LUPUS_OBJECTS"))
    assert list(failures(findings)) == ["objects: conditional put"]
    assert "If-None-Match" in failures(findings)["objects: conditional put"].advice


def test_a_part_that_hangs_or_breaks_costs_only_its_own_row(tmp_path: Path) -> None:
    never = threading.Event()

    def hangs(_settings: Settings) -> Iterator[Finding]:
        never.wait()
        yield Finding("slow", "reach", "ok")

    def breaks(_settings: Settings) -> Iterator[Finding]:
        yield Finding("broken", "first", "ok")
        raise KeyError(SECRET)

    def works(settings: Settings) -> Iterator[Finding]:
        yield Finding("sound", "reach", "ok", f"said {SECRET} to {settings.host}")

    parts = {"slow": hangs, "broken": breaks, "sound": works}
    settings = patient(tmp_path, secret_key=SECRET)
    findings = examine(settings, patience_seconds=1.0, parts=parts)
    never.set()
    assert [(one.part, one.state) for one in findings] == [
        ("slow", "failed"),
        ("broken", "ok"),
        ("broken", "failed"),
        ("sound", "ok"),
    ]
    assert "within 1 s" in findings[0].detail
    assert "KeyError" in findings[2].detail
    assert findings[3].detail == "said *** to 127.0.0.1"


def test_the_command_says_it_as_a_table_and_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LUPUS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LUPUS_PRT", "8700")
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["doctor", "--only", "folders", "--only", "network"]) == 0
    table = capsys.readouterr().out
    assert "did you mean LUPUS_PORT?" in table
    assert "data folder" in table
    assert "database" not in table
    (tmp_path / "data").write_text("a file")
    assert main(["doctor", "--only", "folders", "--json"]) == 2
    rows = json.loads(capsys.readouterr().out)
    assert {row["state"] for row in rows if row["part"] == "folders"} == {"failed"}
    assert set(rows[0]) == {"part", "check", "state", "detail", "advice"}
    assert main(["doctor", "--only", "weather"]) == 64
    assert "known parts are folders" in capsys.readouterr().err


def test_settings_that_contradict_each_other_are_a_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LUPUS_INDEX", "ftp://nowhere")
    assert main(["doctor", "--json"]) == 2
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["part"], row["state"]) == ("settings", "failed")
    assert "LUPUS_INDEX" in row["detail"]
