"""detect: ask a running service for a detection, and wait for it with an exit code."""

import json
import sys
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.client import Client, open_client
from service.cli.exits import UNREACHABLE, USAGE, EndedError
from service.cli.outcome import FailOn, OnlyNew, Quiet, conclude
from service.cli.output import AsJson, say
from service.cli.watch import CancelOnInterrupt, RetryFor, seconds_of, wait_for


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(detect)


def detect(
    request: Annotated[
        str | None, typer.Argument(help="A file with the request as JSON, - for standard input.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Source to check.")] = None,
    metric: Annotated[list[str] | None, typer.Option(help="Name or glob; repeat it.")] = None,
    rule: Annotated[str | None, typer.Option(help="Name of the check.")] = None,
    detector: Annotated[
        str | None, typer.Option(help="A type, or JSON of a detector with its parameters.")
    ] = None,
    last: Annotated[str | None, typer.Option(help="How far back, such as 7d.")] = None,
    after: Annotated[
        list[str] | None, typer.Option(help="An ingest that must have succeeded; repeat it.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the run is over.")] = False,
    fail_on: FailOn = "warning",
    only_new: OnlyNew = False,
    key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            help="Who asks again with the same key within 7 days gets the same run. Default: a "
            "new one.",
        ),
    ] = None,
    retry_for: RetryFor = "10m",
    cancel_on_interrupt: CancelOnInterrupt = False,
    url: Annotated[str | None, typer.Option(help="The service; LUPUS_URL.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Post a detection: with --wait 0 is fine, 1 anomalies, 2 failed or partial."""
    body = _file(request) if request else {}
    options = {
        "source": source,
        "metric": list(metric) if metric else None,
        "rule": rule,
        "detector": _detector(detector),
        "range": {"last": last} if last else None,
        "after": list(after) if after else None,
    }
    body.update({name: value for name, value in options.items() if value is not None})
    if not body:
        raise EndedError(USAGE, "give a file with the request, or --source, --metric, --detector")
    with open_client(url, seconds_of("--retry-for", retry_for)) as client:
        run = _accepted(client, body, key or f"cli-{uuid.uuid4()}")
        if wait:
            ended = wait_for(client, run, cancel_on_interrupt, quiet)
            conclude(client, ended, fail_on, only_new, quiet, as_json)
        elif not quiet:
            say(f"accepted: {run['id']}", run, as_json)


def _accepted(client: Client, body: dict[str, Any], key: str) -> dict[str, Any]:
    headers = {"Idempotency-Key": key}
    try:
        run: dict[str, Any] = client.call(
            "POST", "/v1/detections", repeat=True, json=body, headers=headers
        )
    except EndedError as error:
        if error.code != UNREACHABLE:
            raise
        # It may have been accepted, and only the answer was lost.
        again = f"once more with --idempotency-key {key} it is the same run, if there is one"
        raise EndedError(error.code, f"{error}\n{again}") from None
    return run


def _file(path: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text("utf-8")
        content = json.loads(text)
    except OSError as error:
        raise EndedError(USAGE, f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise EndedError(USAGE, f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise EndedError(USAGE, f"{path}: the request is one JSON object")
    return content


def _detector(text: str | None) -> dict[str, Any] | None:
    if text is None or not text.lstrip().startswith("{"):
        return {"type": text} if text else None
    try:
        parsed: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise EndedError(USAGE, f"--detector is not JSON: {error}") from None
    return parsed
