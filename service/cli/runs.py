"""runs list, show, wait, cancel, rerun: what became of detections, from a running service."""

import uuid
from typing import Annotated, Any

import typer

from service.cli.client import open_client
from service.cli.exits import USAGE, EndedError
from service.cli.outcome import FailOn, OnlyNew, Quiet, conclude
from service.cli.output import AsJson, say, table
from service.cli.watch import (
    ENDED,
    CancelOnInterrupt,
    RetryFor,
    progress,
    seconds_of,
    wait_for,
)

_STATES = ("queued", "running", "publishing", *ENDED)
_PATH = "/v1/detections"

Id = Annotated[str, typer.Argument(metavar="ID", help="As `detect` and `runs list` say it.")]
Url = Annotated[str | None, typer.Option(help="The service; LUPUS_URL.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    runs = typer.Typer(
        name="runs", help="List, show, await, cancel and repeat runs.", no_args_is_help=True
    )
    runs.command("list")(list_)
    for command in (show, wait, cancel, rerun):
        runs.command()(command)
    app.add_typer(runs)


def list_(
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only of this rule.")] = None,
    state: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(_STATES)}; repeat it.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The newest so many.")] = 20,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """The newest runs first."""
    wrong = [one for one in state or () if one not in _STATES]
    if wrong:
        raise EndedError(USAGE, f"--state {wrong[0]}: allowed are {', '.join(_STATES)}")
    asked = {"source": source, "rule": rule, "state": list(state or ()) or None, "limit": limit}
    query = {name: value for name, value in asked.items() if value is not None}
    with open_client(url) as client:
        found: list[dict[str, Any]] = client.call("GET", _PATH, params=query)["items"]
    rows = found if as_json else [_row(run) for run in found]
    table("Runs", ("id", "source", "rule", "state", "accepted", "range", "new"), rows, as_json)


def _row(run: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": run["id"],
        "source": run["source"],
        "rule": run["rule"],
        "state": progress(run),
        "accepted": run["accepted_at"],
        "range": f"{run['range']['start']} to {run['range']['end']}",
        "new": (run["counts"] or {}).get("new"),
    }


def show(run: Id, url: Url = None, as_json: AsJson = False) -> None:
    """One run: how far it is, what came out, why it failed."""
    with open_client(url) as client:
        found: dict[str, Any] = client.call("GET", f"{_PATH}/{run}")
    if as_json:
        say("", found, as_json)
        return
    facts = {
        "run": found["id"],
        "source": found["source"],
        "rule": found["rule"],
        "state": progress(found),
        "range": f"{found['range']['start']} to {found['range']['end']}",
        "detector": ", ".join(f"{name} {value}" for name, value in found["detector"].items()),
        "counts": ", ".join(f"{name} {n:,}" for name, n in (found["counts"] or {}).items() if n),
        "error": found["error"],
        "accepted": f"{found['accepted_at']} by {found['caller']}",
        "ended": found["ended_at"],
        "rerun of": found["rerun_of"],
        **{f"see {name}": link for name, link in found["links"].items()},
    }
    lines = [f"{name + ':':<14} {value}" for name, value in facts.items() if value]
    say("\n".join(lines), found, as_json)


def wait(
    run: Id,
    fail_on: FailOn = "warning",
    only_new: OnlyNew = False,
    retry_for: RetryFor = "10m",
    cancel_on_interrupt: CancelOnInterrupt = False,
    url: Url = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Wait until a run is over: 0 is fine, 1 anomalies, 2 failed or partial."""
    with open_client(url, seconds_of("--retry-for", retry_for)) as client:
        begun = client.call("GET", f"{_PATH}/{run}")
        ended = wait_for(client, begun, cancel_on_interrupt, quiet)
        conclude(client, ended, fail_on, only_new, quiet, as_json)


def cancel(run: Id, url: Url = None, as_json: AsJson = False) -> None:
    """End a run that has not published; again does nothing."""
    with open_client(url) as client:
        found = client.call("POST", f"{_PATH}/{run}/cancel", repeat=True)
    is_over = found["state"] == "cancelled"
    say(f"run {run} {'is cancelled' if is_over else 'will be cancelled'}", found, as_json)


def rerun(
    run: Id,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the new run is over.")] = False,
    fail_on: FailOn = "warning",
    only_new: OnlyNew = False,
    retry_for: RetryFor = "10m",
    cancel_on_interrupt: CancelOnInterrupt = False,
    url: Url = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """The same request over the same absolute range, on the source as it is now."""
    headers = {"Idempotency-Key": f"cli-{uuid.uuid4()}"}
    with open_client(url, seconds_of("--retry-for", retry_for)) as client:
        new = client.call("POST", f"{_PATH}/{run}/rerun", repeat=True, headers=headers)
        if wait:
            ended = wait_for(client, new, cancel_on_interrupt, quiet)
            conclude(client, ended, fail_on, only_new, quiet, as_json)
        elif not quiet:
            say(f"accepted: {new['id']}", new, as_json)
