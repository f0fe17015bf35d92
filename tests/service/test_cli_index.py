"""lupus-server retention: what it counts as old, and what it says."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.cli import main
from service.cli.exits import USAGE
from service.months import months_ago_ms
from storage.sqlite.index import SqliteIndex
from tests.storage.documents import anomaly, new


def test_months_are_counted_back_from_the_month_of_now() -> None:
    for months, expected in ((1, (2025, 12)), (13, (2024, 12)), (24, (2024, 1))):
        first = datetime(*expected, 1, tzinfo=UTC)
        now = datetime(2026, 1, 31, 23, tzinfo=UTC)
        assert months_ago_ms(now, months) == int(first.timestamp()) * 1000


def test_old_months_are_said_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LUPUS_DATA", str(tmp_path))
    index = SqliteIndex(tmp_path / "index.db")
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    index.write_anomalies([new(anomaly(0)), new(anomaly(now_ms))])
    assert main(["retention", "--older-than", "13mo", "--dry-run"]) == 0
    assert capsys.readouterr().out == "would delete 1970-01 anomalies: 1 documents\n"
    assert index.counts()["anomalies"] == 2
    assert main(["retention", "--older-than", "1y", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "dry_run": False,
        "months": [{"month": "1970-01", "kind": "anomalies", "documents": 1}],
    }
    assert index.counts()["anomalies"] == 1
    assert main(["retention", "--older-than", "13mo"]) == 0
    assert "no month" in capsys.readouterr().out
    index.close()


@pytest.mark.parametrize("age", ["", "13", "mo", "0mo", "-1mo", "3d", "99999y", "1.5y"])
def test_ages_without_meaning_are_refused(
    age: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUPUS_DATA", str(tmp_path))
    assert main(["retention", "--older-than", age]) == USAGE
