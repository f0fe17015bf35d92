"""``lupus detect``: one request by its arguments, or rules that are kept as a file."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from lupus.cli.asked import SEVERITIES, client_of, detector_of, pairs
from lupus.cli.exits import ANOMALIES, FAILED, FINE, UsageError
from lupus.cli.lists import run_row
from lupus.client.client import Client
from lupus.client.question import question
from lupus.client.run import Run
from lupus.errors import RefusedError
from lupus.rows import Rows

_DRY = ("rule", "series", "points", "core_seconds", "start", "end")
_DONE = ("rule", "state", "judged", "anomalous", "report_url")
_EXCUSED = ("expected", "false")  # people have said that it is none


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "detect",
        parents=[shared],
        help="ask for detections",
        description="Ask for one detection by options, or for those of a file of rules, after "
        "showing what they would read. With --wait the exit code says what came of them.",
    )
    parser.set_defaults(run=_run)
    parser.add_argument("file", nargs="?", metavar="RULES.yaml", help="rules kept as a file")
    parser.add_argument("--only", action="append", metavar="RULE", help="of the file; repeat it")
    parser.add_argument("--source")
    parser.add_argument("--metric", action="append", help="name or glob; repeat it")
    parser.add_argument("--detector", help="a type, or JSON with its parameters (default: auto)")
    parser.add_argument("--last", metavar="DURATION", help="how far back, such as 7d")
    parser.add_argument("--start", metavar="TIME", help="a date, or RFC 3339 with offset")
    parser.add_argument("--end", metavar="TIME", help="exclusive")
    parser.add_argument("--rule", help="name of the check; without one nothing is stored")
    parser.add_argument("--label", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--after", action="append", metavar="INGEST", help="repeat it")
    parser.add_argument("--key", help="the same key within 7 days is the same run")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be read")
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")
    parser.add_argument("--wait", action="store_true", help="wait until all are over")
    parser.add_argument(
        "--timeout", type=float, default=3600.0, metavar="SECONDS", help="longest wait of each"
    )
    parser.add_argument(
        "--fail-on",
        choices=SEVERITIES,
        default="warning",
        help="least severity that makes the exit code 1 (default: warning)",
    )
    parser.add_argument("--json", action="store_true", help="print the runs as JSON")


def _run(asked: argparse.Namespace) -> int:
    client = client_of(asked)
    if asked.file is None:
        requests: Sequence[Mapping[str, Any]] = [_request(asked)]
        if asked.dry_run:
            _show([_dry_row(requests[0], client.estimate(requests[0]))], _DRY, asked.json)
            return FINE
    else:
        requests = _rules(asked, client)
        if asked.dry_run or not _agreed(asked, len(requests)):
            return FINE
    keys = [f"{asked.key}.{number}" if asked.key else None for number in range(len(requests))]
    runs = [client.ask(request, key) for request, key in zip(requests, keys)]
    if asked.wait:
        for run in runs:
            run.wait(asked.timeout)
    _show([run_row(run) for run in runs], _DONE if asked.wait else ("id", *_DONE[:2]), asked.json)
    return max(_code(run, asked.fail_on) for run in runs) if asked.wait else FINE


def _request(asked: argparse.Namespace) -> Mapping[str, Any]:
    if not asked.source or not asked.metric:
        raise UsageError("give a file of rules, or --source, --metric and --last")
    return question(
        asked.source,
        asked.metric,
        detector_of(asked.detector or "auto"),
        last=asked.last,
        start=asked.start,
        end=asked.end,
        rule=asked.rule,
        after=asked.after,
        labels=pairs(asked.label, "--label") or None,
    )


def _rules(asked: argparse.Namespace, client: Client) -> list[Mapping[str, Any]]:
    """Give the requests of the file, after showing what the service says of them."""
    # Only who keeps rules as a file needs the package that reads it.
    from lupus.cli.rules import read_rules  # noqa: PLC0415

    beside = ("source", "metric", "detector", "last", "start", "end", "rule", "label", "after")
    if given := [f"--{name}" for name in beside if getattr(asked, name)]:
        raise UsageError(f"{given[0]} stands in the file: allowed beside it is --only")
    rules = read_rules(asked.file)
    names = {rule.name for rule in rules}
    if unknown := sorted(set(asked.only or ()) - names):
        raise UsageError(f"--only {unknown[0]}: the file has {', '.join(sorted(names))}")
    chosen = [rule for rule in rules if not asked.only or rule.name in asked.only]
    shown = []
    for rule in chosen:
        try:
            shown.append(_dry_row(rule.request, client.estimate(rule.request)))
        except RefusedError as refused:
            errors = refused.problem.get("errors") or [{}]
            line = rule.line_of(str(errors[0].get("pointer") or ""))
            raise RefusedError(f"{asked.file}:{line}: {refused}", refused.status) from None
    if not asked.json or asked.dry_run:
        _show(shown, _DRY, asked.json)
    return [rule.request for rule in chosen]


def _agreed(asked: argparse.Namespace, count: int) -> bool:
    if asked.yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked: --yes runs them, --dry-run only shows them")
    sys.stderr.write(f"run {'it' if count == 1 else f'these {count}'}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _dry_row(request: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: found[name] for name in ("series", "points", "core_seconds")}
    return {"rule": request.get("rule", ""), **facts, **found["range"]}


def _show(rows: Sequence[Mapping[str, Any]], shown: Sequence[str], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(list(rows), indent=2) + "\n")
    else:
        sys.stdout.write(f"{Rows(rows, shown)}\n")


def _code(run: Run, fail_on: str) -> int:
    if run.state != "succeeded":
        return FAILED
    if not run.document["rule"] or not run.document["request"].get("store", True):
        return ANOMALIES if run.counts.get("anomalous") else FINE
    found = run.anomalies(min_severity=fail_on)
    return ANOMALIES if any(one["verdict"] not in _EXCUSED for one in found) else FINE
