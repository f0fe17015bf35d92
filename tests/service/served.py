"""`lupus-server serve` as a process of its own that a test may kill and start again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from service.demo.process import free_port
from tests.conftest import ROOT


class Served:
    """A service on one folder, always at the same address."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LUPUS_")},
            "LUPUS_DATA": str(folder),
            "LUPUS_PORT": str(free_port()),
            "PYTHONPATH": str(ROOT),
            **(environment or {}),
        }
        self._log = folder.parent / f"{folder.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        url = f"http://127.0.0.1:{self._environment['LUPUS_PORT']}"
        self.http = httpx2.Client(base_url=url, timeout=60, trust_env=False)

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        command = [sys.executable, "-m", "service.cli", "serve"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self.wait_for("/readyz", lambda answer: answer.status_code == 200, 300)

    def end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)

    def wait_for(
        self, path: str, is_over: Callable[[httpx2.Response], bool], seconds: float = 90
    ) -> httpx2.Response:
        """Ask until an answer is what was waited for; a service that is not there is asked on."""
        give_up = time.monotonic() + seconds
        seen = "nothing"
        while True:
            try:
                answer = self.http.get(path)
                if is_over(answer):
                    return answer
                seen = answer.text[-2000:]
            except httpx2.TransportError as error:
                seen = repr(error)
            assert time.monotonic() < give_up, f"{path}: {seen}\n{self.log[-3000:]}"
            time.sleep(0.02 if seconds <= 90 else 0.25)

    def post(self, path: str, **arguments: Any) -> dict[str, Any]:
        answer = self.http.post(path, **arguments)
        assert answer.is_success, answer.text
        parsed: dict[str, Any] = answer.json()
        return parsed


@contextmanager
def served(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Served]:
    service = Served(folder, environment)
    try:
        service.start()
        yield service
    finally:
        service.end(signal.SIGTERM)
        service.http.close()
