"""`lupus-server detect --wait` and `runs`, as processes and against real services."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from service.cli import main
from tests.conftest import ROOT
from tests.schedulers.conftest import DROP
from tests.service.api.house import detection
from tests.service.served import Served
from tests.waiting import until

RUNS = "/v1/detections"
PATIENCE = 280
DAYS = {"start": "2026-07-01", "end": "2026-07-04"}
BAD = {"start": DROP, "end": "2026-08-01"}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LUPUS_")]:
        monkeypatch.delenv(name)


def url_of(service: Served) -> str:
    return str(service.http.base_url).rstrip("/")


def runs(service: Served, rule: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.http.get(RUNS, params={"rule": rule}).json()["items"]
    return found


class Command:
    """The command as a process, waiting for a run that never begins."""

    def __init__(self, service: Served, rule: str, *words: str) -> None:
        body = json.dumps(detection("shop", rule=rule, range=DAYS))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "detect", "-", "--wait", *words],
            env={**os.environ, "PYTHONPATH": str(ROOT), "LUPUS_URL": url_of(service)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # What is started in the background of a script ignores it, and so do its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert self.process.stdin is not None
        self.process.stdin.write(body)
        self.process.stdin.close()
        self.process.stdin = None
        self.run = until(lambda: self.process.poll() or runs(service, rule), PATIENCE)[0]["id"]
        assert self.process.stderr is not None
        self.first_line = self.process.stderr.readline()

    def ended(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


@pytest.fixture
def start(idle: Served) -> Iterator[Callable[..., Command]]:
    started: list[Command] = []

    def begin(*words: str) -> Command:
        started.append(Command(idle, *words))
        return started[-1]

    yield begin
    for command in started:
        command.process.kill()
        command.process.communicate()


def test_it_outlives_a_killed_service_and_tells(start: Any, idle: Served) -> None:
    command = start("cli-away")
    assert f"run {command.run}: queued" in command.first_line
    idle.end(signal.SIGKILL)
    assert "does not answer" in until(command.process.stderr.readline, PATIENCE)
    idle.start()
    idle.post(f"{RUNS}/{command.run}/cancel")
    code, out, err = command.ended()
    assert (code, f"{command.run}: cancelled" in out) == (2, True)
    assert "answers again" in err
    assert len(runs(idle, "cli-away")) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_says_how_to_go_on_or_cancels(
    start: Any, idle: Served, number: signal.Signals, code: int
) -> None:
    command = start(f"cli-stop-{code}")
    command.process.send_signal(number)
    ended, _, err = command.ended()
    assert (ended, f"runs wait {command.run}" in err) == (code, True), err
    assert runs(idle, f"cli-stop-{code}")[0]["state"] == "queued"
    other = start(f"cli-cancel-{code}", "--cancel-on-interrupt")
    other.process.send_signal(number)
    ended, _, err = other.ended()
    assert (ended, f"{other.run} is cancelled" in err) == (code, True), err
    assert runs(idle, f"cli-cancel-{code}")[0]["state"] == "cancelled"


def test_people_may_excuse_and_only_new_counts_once(
    service: Served, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps(detection("shop", rule="cli-count", range=BAD)))
    words = ["detect", str(file), "--wait", "--url", url_of(service), "--json"]
    assert main([*words, "--only-new"]) == 1
    first = json.loads(capsys.readouterr().out)
    assert (first["found"], first["exit_code"]) == (1, 1)
    assert main([*words, "--only-new"]) == 0, "the same anomaly is not new"
    assert main(words) == 1, "and is there all the same"
    found = service.http.get("/v1/anomalies", params={"rule": "cli-count"}).json()["items"]
    service.http.patch(f"/v1/anomalies/{found[0]['id']}", json={"verdict": "expected"})
    capsys.readouterr()
    assert main([*words, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert len({run["id"] for run in runs(service, "cli-count")}) == 4, "a key for each call"


def test_runs_are_listed_shown_cancelled_and_repeated(
    idle: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    run = idle.post(RUNS, json=detection("shop", rule="cli-runs", range=DAYS))["id"]
    at = ["--url", url_of(idle)]
    assert main(["runs", "list", "--rule", "cli-runs", "--json", *at]) == 0
    assert [one["id"] for one in json.loads(capsys.readouterr().out)] == [run]
    assert main(["runs", "show", run, *at]) == 0
    shown = capsys.readouterr().out
    assert f"run:           {run}" in shown
    assert "state:         queued" in shown
    assert main(["runs", "rerun", run, "--json", *at]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["rerun_of"] == run
    for _ in range(2):
        assert main(["runs", "cancel", run, *at]) == 0
        assert f"run {run} is cancelled" in capsys.readouterr().out
    assert main(["runs", "wait", run, *at]) == 2
    assert "cancelled" in capsys.readouterr().out
    assert main(["runs", "list", "--state", "cancelled", "--rule", "cli-runs", *at]) == 0
    assert "cancelled" in capsys.readouterr().out
    assert main(["runs", "list", "--state", "lost", *at]) == 64
    assert main(["runs", "show", "nobody", *at]) == 64
    assert "does not exist" in capsys.readouterr().err
