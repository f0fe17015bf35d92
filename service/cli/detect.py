"""detect: ask a running service for a detection, and wait for it with an exit code."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.client import Client, open_client
from service.cli.exits import ANOMALIES, FAILED, FINE, USAGE, EndedError
from service.cli.output import AsJson, say

_SEVERITIES = ("warning", "major", "critical")
_ENDED = ("succeeded", "partial", "failed", "cancelled")


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
    fail_on: Annotated[
        str, typer.Option(help="Least severity that makes the exit code 1.")
    ] = "warning",
    key: Annotated[
        str | None, typer.Option("--idempotency-key", help="Makes a retry the same run.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="The service; LUPUS_URL.")] = None,
    as_json: AsJson = False,
) -> None:
    """Post a detection: with --wait 0 is fine, 1 anomalies, 2 failed or partial."""
    if fail_on not in _SEVERITIES:
        raise EndedError(USAGE, f"--fail-on {fail_on}: allowed are {', '.join(_SEVERITIES)}")
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
    with open_client(url) as client:
        headers = {"Idempotency-Key": key} if key else {}
        run = client.call("POST", "/v1/detections", json=body, headers=headers)
        if not wait:
            say(f"accepted: {run['id']}", run, as_json)
            return
        _report(client, _wait(client, str(run["id"]), as_json), fail_on, as_json)


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


def _wait(client: Client, id_: str, quiet: bool) -> dict[str, Any]:
    from rich.console import Console  # noqa: PLC0415 - costs 30 ms

    path, patience = f"/v1/detections/{id_}", {"wait": "20s"}
    run = client.call("GET", path)
    if quiet or not sys.stderr.isatty():
        while run["state"] not in _ENDED:
            run = client.call("GET", path, params=patience)
        return run
    with Console(stderr=True).status("") as status:
        while run["state"] not in _ENDED:
            status.update(_progress(run))
            run = client.call("GET", path, params={"wait": "1s"})
    return run


def _progress(run: dict[str, Any]) -> str:
    progress = run.get("progress") or {}
    chunks = progress.get("chunks")
    done = f", {progress.get('chunks_done', 0)} of {chunks} chunks" if chunks else ""
    ahead = run["queue"]["ahead"]
    return f"{run['state']} {progress.get('stage', '')}{done}" + (
        f", {ahead} runs ahead" if ahead else ""
    )


def _report(client: Client, run: dict[str, Any], fail_on: str, as_json: bool) -> None:
    found = _found(client, run, fail_on)
    counts = run.get("counts") or {}
    text = (
        f"{run['id']}: {run['state']}, {counts.get('judged', 0):,} points judged in "
        f"{counts.get('series', 0):,} series, {found:,} of {fail_on} or worse"
    )
    if run["error"]:
        text += f"\n{run['error']}"
    say(text, {**run, "found": found}, as_json)
    code = FINE if run["state"] == "succeeded" else FAILED
    if code == FINE and found:
        code = ANOMALIES
    if code != FINE:
        raise EndedError(code)


def _found(client: Client, run: dict[str, Any], fail_on: str) -> int:
    """Anomalies of at least that severity in the run's range, by its rule."""
    if run["rule"] is None or not run["request"].get("store", True):
        return int((run.get("counts") or {}).get("anomalous", 0))
    query: dict[str, Any] = {
        "source": run["source"],
        "rule": run["rule"],
        "status": "found",
        "min_severity": fail_on,
        "start": run["range"]["start"],
        "end": run["range"]["end"],
        "limit": 1000,
    }
    count = 0
    while True:
        page = client.call("GET", "/v1/anomalies", params=query)
        count += len(page["items"])
        if not page["cursor"]:
            return count
        query["cursor"] = page["cursor"]
