"""What came of a run, as an exit code: fine, anomalies, or failed."""

from typing import Annotated, Any

import typer

from service.cli.client import Client
from service.cli.exits import ANOMALIES, FAILED, FINE, USAGE, EndedError
from service.cli.output import say

_SEVERITIES = ("warning", "major", "critical")
_EXCUSED = ("expected", "false")  # people have said that it is none


def _severity(text: str) -> str:
    if text not in _SEVERITIES:
        raise EndedError(USAGE, f"--fail-on {text}: allowed are {', '.join(_SEVERITIES)}")
    return text


FailOn = Annotated[
    str,
    typer.Option(
        callback=_severity,
        help="Least severity that makes the exit code 1: warning, major or critical.",
    ),
]
OnlyNew = Annotated[
    bool,
    typer.Option(
        "--only-new", help="Count what this run found, not what earlier runs of its rule had."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing when all is fine.")]


def conclude(
    client: Client, run: dict[str, Any], fail_on: str, only_new: bool, quiet: bool, as_json: bool
) -> None:
    """Say what came of a run that is over, and end with its code unless it is fine."""
    found = count_found(client, run, fail_on, only_new)
    code = FAILED if run["state"] != "succeeded" else ANOMALIES if found else FINE
    if code == FINE and quiet:
        return
    counts = run.get("counts") or {}
    lines = [
        f"{run['id']}: {run['state']}, {counts.get('judged', 0):,} points judged in "
        f"{counts.get('series', 0):,} series, {found:,} of {fail_on} or worse"
    ]
    lines += [run["error"]] if run["error"] else []
    links = run["links"]
    lines += [f"see {links.get('report') or links['self']}"] if code != FINE else []
    say("\n".join(lines), {**run, "found": found, "exit_code": code}, as_json)
    if code != FINE:
        raise EndedError(code)


def count_found(client: Client, run: dict[str, Any], fail_on: str, only_new: bool) -> int:
    """Anomalies of at least that severity in the run's range, but for those people excused."""
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
    if only_new:
        query["run"] = run["id"]
    count = 0
    while True:
        page = client.call("GET", "/v1/anomalies", params=query)
        count += sum(one["verdict"] not in _EXCUSED for one in page["items"])
        if not page["cursor"]:
            return count
        query["cursor"] = page["cursor"]
