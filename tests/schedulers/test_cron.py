"""examples/cron/lupus-detect.sh with a real sh and curl, against a real service."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.schedulers.conftest import DROP
from tests.service.api.house import detection
from tests.service.served import Served

SCRIPT = ROOT / "examples" / "cron" / "lupus-detect.sh"
RUNS = "/v1/detections"
PATIENCE = 280
BAD = {"start": DROP, "end": "2026-08-01"}

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


class Cron:
    def __init__(self, folder: Path, service: Served) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "LUPUS_URL": str(service.http.base_url).rstrip("/"),
            "LUPUS_RETRY_SECONDS": "0",
            "no_proxy": "127.0.0.1",
            "TMPDIR": str(folder / "tmp"),
        }
        (folder / "tmp").mkdir()
        self._running: list[subprocess.Popen[str]] = []

    def start(self, body: dict[str, Any], *words: str, **more: str) -> subprocess.Popen[str]:
        request = self.folder / f"{body['rule']}.json"
        request.write_text(json.dumps(body))
        process = subprocess.Popen(
            ["/bin/sh", str(SCRIPT), str(request), *words],
            env=self.environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._running.append(process)
        return process

    def run(self, body: dict[str, Any], *words: str, **more: str) -> tuple[int, str]:
        process = self.start(body, *words, **more)
        said = process.communicate(timeout=PATIENCE)[0]
        return process.returncode, said

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.communicate()
        assert not list((self.folder / "tmp").iterdir()), "it cleans up after itself"


@pytest.fixture
def cron(tmp_path: Path, service: Served) -> Iterator[Cron]:
    cron = Cron(tmp_path, service)
    yield cron
    cron.end()


def rule(name: str, **more: Any) -> dict[str, Any]:
    days = {"start": "2026-07-01", "end": "2026-07-04"}
    return detection("shop", rule=name, **{"range": days, **more})


def runs(service: Served, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.http.get(RUNS, params={"rule": name}).json()["items"]
    return found


def test_fine_is_silent(cron: Cron, service: Served) -> None:
    assert cron.run(rule("cron-fine")) == (0, "")
    assert [run["state"] for run in runs(service, "cron-fine")] == ["succeeded"]


def test_anomalies_are_told_from_a_severity_on(cron: Cron) -> None:
    code, said = cron.run(rule("cron-bad", range=BAD))
    assert (code, "of major or worse" in said) == (1, True)
    assert "/v1/anomalies?run=" in said
    assert cron.run(rule("cron-bad", range=BAD), LUPUS_FAIL_ON="critical") == (0, "")


def test_what_cannot_be_judged_is_no_success(cron: Cron) -> None:
    code, said = cron.run(rule("cron-empty", metric="nothing"))
    assert (code, "is partial" in said) == (2, True)


def test_a_refusal_says_why(cron: Cron, tmp_path: Path) -> None:
    code, said = cron.run(rule("cron-wrong", detector={"type": "oracle"}))
    assert (code, "422" in said, "oracle" in said) == (64, True, True)
    done = subprocess.run(
        ["/bin/sh", str(SCRIPT), str(tmp_path / "none.json")], capture_output=True, text=True
    )
    assert (done.returncode, "usage" in done.stderr) == (64, True)
    code, said = cron.run(rule("cron-token"), LUPUS_TOKEN="lps_unknown")
    assert (code, "not known" in said) == (64, True)


def test_two_at_once_and_one_more_the_same_day_are_one_run(cron: Cron, service: Served) -> None:
    body = rule("cron-twice", range=BAD)
    twins = [cron.start(body) for _ in range(2)]
    for twin in twins:
        twin.communicate(timeout=PATIENCE)
    assert [twin.returncode for twin in twins] == [1, 1]
    assert cron.run(body)[0] == 1
    assert len(runs(service, "cron-twice")) == 1
    assert cron.run(body, "another-day")[0] == 0, "the second run finds nothing new"
    assert len(runs(service, "cron-twice")) == 2


def test_a_service_that_is_away_is_waited_for(cron: Cron, idle: Served, tmp_path: Path) -> None:
    """Killed while the script waits, and started again: it goes on with its run."""
    own = {"LUPUS_URL": str(idle.http.base_url).rstrip("/"), "LUPUS_RETRY_SECONDS": "250"}
    waiting = cron.start(rule("cron-away"), **own)
    give_up = time.monotonic() + PATIENCE
    while not runs(idle, "cron-away"):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    idle.end(signal.SIGKILL)
    time.sleep(1)
    assert waiting.poll() is None
    idle.start()
    run = runs(idle, "cron-away")[0]["id"]
    idle.post(f"{RUNS}/{run}/cancel")
    said = waiting.communicate(timeout=PATIENCE)[0]
    assert (waiting.returncode, f"{run} is cancelled" in said) == (2, True), said


def test_a_service_that_stays_away_has_a_code_of_its_own(cron: Cron) -> None:
    code, said = cron.run(rule("cron-gone"), LUPUS_URL="http://127.0.0.1:9")
    assert (code, "is away" in said) == (69, True)
