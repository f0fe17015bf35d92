"""A service of the demonstration's own, as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.demo.api import Api, DemoError

LOG = "service.log"
START_SECONDS = 60.0


@contextmanager
def running_service(folder: Path) -> Iterator[Api]:
    """A real ``lupus-server serve`` with its data in ``folder``, ended by SIGTERM."""
    port = free_port()
    log = folder / LOG
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("LUPUS_")},
        "LUPUS_DATA": str(folder),
        "LUPUS_PORT": str(port),
    }
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve"],
            env=environment,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )
    try:
        api = Api(f"http://127.0.0.1:{port}")
        give_up = time.monotonic() + START_SECONDS
        while not api.ready():
            if child.poll() is not None or time.monotonic() > give_up:
                raise DemoError(f"the service did not start: {_last_lines(log)}")
            time.sleep(0.1)
        yield api
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(timeout=30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
