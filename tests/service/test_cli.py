"""The command line: exit codes, JSON, a real service on a free port, SIGTERM."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.cli import main

CSV = "metric,time,value,region\n" + "".join(
    f"ndcg@10,2026-{6 + day // 28:02d}-{1 + day % 28:02d},{0.1 if day == 80 else 0.4},jp\n"
    for day in range(84)
)


@pytest.fixture(autouse=True)
def _data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("LUPUS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LUPUS_DATA", str(tmp_path / "data"))


def _json(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_help_is_quick_and_lists_every_command() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "service.cli", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for name in ("serve", "worker", "migrate", "import", "detect", "try", "demo", "token", "step"):
        assert f"│ {name} " in done.stdout, name
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    heavy = {"fastapi", "sqlalchemy", "pyarrow", "numpy", "pydantic", "duckdb", "httpx2"}
    assert not heavy & imported, "help needs none of them"


def test_step_imports_no_web_framework_and_no_database() -> None:
    code = (
        "import sys; from service.cli import main\n"
        "try: main(['step', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'fastapi', 'sqlalchemy', 'uvicorn', 'starlette'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "publish" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nonsense"], 64, "No such command"),
        (["serve", "--nonsense"], 64, "No such option"),
        (["token", "create", "--name", "a"], 64, "--source"),
        (["token", "create", "--name", "a", "--source", "A"], 64, "a-z"),
        (["token", "create", "--name", "a", "--all", "--verb", "own"], 64, "manage"),
        (["token", "create", "--name", "a", "--all", "--expires-in", "soon"], 64, "duration"),
        (["token", "revoke", "nothing"], 64, "does not exist"),
        (["detect"], 64, "give a file"),
        (["detect", "nowhere.json"], 64, "No such file"),
        (["detect", "--source", "a", "--fail-on", "much"], 64, "critical"),
        (
            ["detect", "--source", "a", "--url", "http://127.0.0.1:9", "--retry-for", "0s"],
            69,
            "does not answer",
        ),
        (["import", "nowhere.csv", "--source", "a"], 64, "no such file"),
        (["try", "nowhere.csv"], 64, "no such file"),
        (["serve", "--host", "0.0.0.0"], 78, "lupus-server token create"),
    ],
)
def test_wrong_usage_ends_with_its_code_and_a_sentence(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    handlers = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        assert main(arguments) == code
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)
    assert said in re.sub(r"[\s│]+", " ", capsys.readouterr().err)


def test_errors_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "revoke", "nothing", "--json"]) == 64
    assert _json(capsys)["exit_code"] == 64


def test_tokens_are_made_listed_and_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "create", "--name", "nightly", "--source", "job.*", "--json"]) == 0
    made = _json(capsys)
    assert made["token"].startswith("lps_")
    assert made["verbs"] == ["read", "ingest", "detect"]
    assert main(["token", "list", "--json"]) == 0
    listed = _json(capsys)
    assert [(one["id"], one["revoked"]) for one in listed] == [(made["id"], None)]
    assert made["token"] not in json.dumps(listed)
    assert main(["token", "revoke", made["id"]]) == 0
    capsys.readouterr()
    assert main(["token", "list", "--json"]) == 0
    assert _json(capsys)[0]["revoked"]


def test_migrate_is_repeatable(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--json"]) == 0
    assert _json(capsys)["migrated"] is True
    assert main(["migrate", "--json"]) == 0
    assert _json(capsys)["migrated"] is False


class TestImportIntoTheDataFolder:
    def test_points_as_they_are(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "points.csv"
        file.write_text(CSV)
        assert main(["import", str(file), "--source", "a.b"]) == 2, "no such source"
        assert "does not exist" in capsys.readouterr().err
        assert main(["import", str(file), "--source", "a.b", "--create", "--json"]) == 0
        assert _json(capsys)["points"] == 84

    def test_columns_of_ones_own(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "wide.csv"
        file.write_text("dt,region,ndcg,recall\n2026-06-01,jp,0.4,0.7\n2026-06-02,jp,0.5,\n")
        arguments = ["import", str(file), "--source", "a.b", "--create", "--time", "dt"]
        arguments += ["--value", "ndcg", "--value", "recall", "--by", "region", "--json"]
        assert main(arguments) == 0
        assert _json(capsys)["points"] == 3
        assert main([*arguments[:-1], "--value", "nothing"]) == 64
        assert "no column 'nothing'" in capsys.readouterr().err

    def test_a_name_that_no_source_may_have(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "points.csv"
        file.write_text(CSV)
        assert main(["import", str(file), "--source", "Bad Name", "--create"]) == 64
        assert "a-z 0-9" in capsys.readouterr().err

    def test_bad_rows_are_told(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "bad.csv"
        file.write_text("time,value\nnever,1\n")
        assert main(["import", str(file), "--source", "a.b", "--create"]) == 64
        assert "row 1, time" in capsys.readouterr().err


@dataclass
class Running:
    """A service as its own process."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    log = tmp_path / "service.log"
    environment = {**os.environ, "LUPUS_PROCESSES": "1", "LUPUS_LOG_FORMAT": "json"}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve", "--port", "0"],
            env=environment,
            stderr=output,
            text=True,
        )
    try:
        yield Running(f"http://127.0.0.1:{_port(process, log)}", process, log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _port(process: subprocess.Popen[str], log: Path) -> int:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up and process.poll() is None:
        for line in log.read_text().splitlines():
            event = json.loads(line)
            if event["event"] == "service_listening":
                return int(event["port"])
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def test_a_service_from_import_to_exit_code_and_sigterm(
    running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "points.csv"
    file.write_text(CSV)
    sent = ["import", str(file), "--source", "a.b", "--create", "--url", running.url, "--json"]
    assert main(sent) == 0
    assert _json(capsys)["state"] == "succeeded"
    request = tmp_path / "request.json"
    request.write_text(
        json.dumps(
            {
                "source": "a.b",
                "metric": "ndcg@10",
                "rule": "nightly",
                "range": {"start": "2026-08-01", "end": "2026-08-29"},
            }
        )
    )
    detect = ["detect", str(request), "--url", running.url, "--wait", "--json"]
    low = ["--detector", '{"type": "threshold", "lower": 0.2}']
    assert main([*detect, *low]) == 1
    found = _json(capsys)
    assert (found["state"], found["found"]) == ("succeeded", 1)
    assert main([*detect, *low, "--fail-on", "critical"]) == 0
    capsys.readouterr()
    assert main([*detect, "--detector", '{"type": "threshold", "lower": 0.01}']) == 0
    capsys.readouterr()
    assert main([*detect, "--metric", "nothing", "--detector", "window"]) == 2
    assert _json(capsys)["state"] == "partial"
    assert main([*detect, "--detector", "magic"]) == 64
    assert "/detector/type" in _json(capsys)["error"]
    assert running.end() == 0
    events = [json.loads(line) for line in running.log.read_text().splitlines()]
    names = [event["event"] for event in events]
    assert names[-1] == "service_ended"
    assert "service_stopping" in names
    requests = [event for event in events if event["event"] == "request"]
    assert {"method", "route", "status", "ms", "caller", "request"} <= set(requests[0])
    assert all(event["level"] in ("info", "warning") for event in events), "no errors"


def _token(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert main(["token", "create", "--name", "job", *options, "--json"]) == 0
    made: dict[str, Any] = _json(capsys)
    return made


def test_a_token_opens_its_sources_and_verbs_until_it_expires_or_is_revoked(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    with httpx2.Client(base_url=running.url, trust_env=False, timeout=60) as http:

        def ask(token: str, method: str, path: str, body: Any = None) -> httpx2.Response:
            headers = {"authorization": f"Bearer {token}"}
            return http.request(method, path, json=body, headers=headers)

        for source in ("job.a", "other"):
            assert http.put(f"/v1/sources/{source}", json={}).status_code == 201
        point = {"points": [{"metric": "m", "time": "2026-06-01", "value": 1.0}]}
        nightly = _token(capsys, "--source", "job.*", "--verb", "ingest", "--verb", "read")
        secret = nightly["token"]
        stored = ask(secret, "POST", "/v1/sources/job.a/points", point)
        assert stored.status_code in (200, 202)  # on a slow machine it is stored later
        assert ask(secret, "GET", "/v1/sources/job.a").status_code == 200
        assert ask(secret, "POST", "/v1/sources/other/points", point).status_code == 404
        assert ask(secret, "GET", "/v1/sources/other").status_code == 404
        assert ask(secret, "DELETE", "/v1/sources/job.a").status_code == 403
        assert ask(secret, "POST", "/v1/tokens", {}).status_code in (403, 422)
        seen = ask(secret, "GET", "/v1/sources").json()["items"]
        assert [one["name"] for one in seen] == ["job.a"]

        short = _token(capsys, "--all", "--expires-in", "1s")["token"]
        give_up = time.monotonic() + 20
        while (answer := ask(short, "GET", "/v1/me")).status_code == 200:
            assert time.monotonic() < give_up
            time.sleep(0.1)
        assert (answer.status_code, answer.json()["detail"]) == (401, "this token has expired")

        assert main(["token", "revoke", nightly["id"]]) == 0
        answer = ask(secret, "GET", "/v1/sources/job.a")
        assert (answer.status_code, answer.json()["detail"]) == (401, "this token was revoked")
