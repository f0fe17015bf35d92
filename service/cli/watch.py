"""Waits for a run from outside: through restarts of the service and faults of the network."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any

import typer

from service.cli.client import Client
from service.cli.exits import USAGE, EndedError
from service.cli.output import tell

ENDED = ("succeeded", "partial", "failed", "cancelled")
_PATIENCE, _TERMINALS_PATIENCE = "20s", "2s"  # a terminal shows the progress meanwhile
_ANSWER_SECONDS = 60.0  # a half-open connection is given up after this
_INTERRUPTED, _TERMINATED = 130, 143

RetryFor = Annotated[
    str,
    typer.Option(
        help="How long to try again while the service is away; an exit code 69 says it still is."
    ),
]
CancelOnInterrupt = Annotated[
    bool,
    typer.Option(
        "--cancel-on-interrupt", help="Ctrl-C and SIGTERM cancel the run; else it goes on."
    ),
]


def seconds_of(option: str, text: str) -> float:
    """Seconds of a duration that was typed."""
    from service.duration import duration_ms  # noqa: PLC0415 - keeps --help fast

    try:
        return duration_ms(text) / 1000
    except ValueError as error:
        raise EndedError(USAGE, f"{option}: {error}") from None


def wait_for(client: Client, run: dict[str, Any], cancel: bool, quiet: bool) -> dict[str, Any]:
    """The run once it is over; an interruption says how to go on, or cancels it."""
    with _terminable():
        try:
            return _watch(client, run, quiet)
        except KeyboardInterrupt as stopped:
            raise _interrupted(client, str(run["id"]), cancel, stopped) from None


def _interrupted(client: Client, id_: str, cancel: bool, stopped: BaseException) -> EndedError:
    code = _TERMINATED if isinstance(stopped, _TerminatedError) else _INTERRUPTED
    if not cancel:
        return EndedError(
            code,
            f"run {id_} goes on; wait for it: lupus-server runs wait {id_}; "
            f"end it: lupus-server runs cancel {id_}",
        )
    try:
        client.call("POST", f"/v1/detections/{id_}/cancel", repeat=True)
    except EndedError as error:
        return EndedError(code, f"run {id_} is not cancelled: {error}")
    return EndedError(code, f"run {id_} is cancelled")


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM, as schedulers send it."""


@contextmanager
def _terminable() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _TerminatedError

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _watch(client: Client, run: dict[str, Any], quiet: bool) -> dict[str, Any]:
    if quiet or not sys.stderr.isatty():
        said = ""
        while run["state"] not in ENDED:
            if not quiet and (line := f"run {run['id']}: {progress(run)}") != said:
                tell(line)
                said = line
            run = _look(client, run, _PATIENCE)
        return run
    from rich.console import Console  # noqa: PLC0415 - costs 30 ms

    with Console(stderr=True).status("") as status:
        while run["state"] not in ENDED:
            status.update(f"run {run['id']}: {progress(run)}")
            run = _look(client, run, _TERMINALS_PATIENCE)
    return run


def _look(client: Client, run: dict[str, Any], patience: str) -> dict[str, Any]:
    seen: dict[str, Any] = client.call(
        "GET", f"/v1/detections/{run['id']}", params={"wait": patience}, timeout=_ANSWER_SECONDS
    )
    return seen


def progress(run: dict[str, Any]) -> str:
    """How far a run is, in a few words."""
    told = run.get("progress") or {}
    words = [run["state"]]
    if told.get("stage") not in (None, "done", "waiting", run["state"]):
        words.append(told["stage"])
    if told.get("chunks"):
        words.append(f"{told.get('chunks_done', 0)} of {told['chunks']} chunks")
    if run["queue"]["ahead"]:
        words.append(f"{run['queue']['ahead']} runs ahead")
    if told.get("message") and run["state"] not in ENDED:
        words.append(told["message"])
    return ", ".join(words)
