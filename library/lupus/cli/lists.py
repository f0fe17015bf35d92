"""``lupus runs`` and ``lupus anomalies``: what there is, for people and for programs."""

import argparse
import sys
from typing import Any

from lupus.cli.asked import SEVERITIES, client_of, pairs
from lupus.cli.exits import FINE
from lupus.client.run import Run
from lupus.rows import Rows

RUN = ("id", "source", "rule", "state", "judged", "anomalous", "accepted_at")
_STATES = ("queued", "running", "publishing", "succeeded", "partial", "failed", "cancelled")


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Register the commands."""
    lists = argparse.ArgumentParser(add_help=False, parents=[shared])
    lists.add_argument("--source", help="only of this data source")
    lists.add_argument("--rule", help="only of this rule")
    lists.add_argument("--most", type=int, default=100, help="at most so many (default: 100)")
    lists.add_argument("--format", choices=("table", "json", "csv"), default="table")
    runs = commands.add_parser("runs", parents=[lists], help="list runs, newest first")
    runs.set_defaults(run=_runs)
    runs.add_argument("--state", action="append", choices=_STATES, help="repeat it")
    anomalies = commands.add_parser(
        "anomalies", parents=[lists], help="list anomalies, newest first"
    )
    anomalies.set_defaults(run=_anomalies)
    anomalies.add_argument("--metric", action="append", help="name or glob; repeat it")
    anomalies.add_argument("--label", action="append", default=[], metavar="NAME=VALUE")
    anomalies.add_argument("--start", metavar="TIME", help="a date, or RFC 3339 with offset")
    anomalies.add_argument("--end", metavar="TIME", help="exclusive")
    anomalies.add_argument("--min-severity", choices=SEVERITIES)
    anomalies.add_argument("--status", choices=("found", "withdrawn"), default="found")
    anomalies.add_argument("--run", dest="run_id", metavar="RUN", help="only of this run")


def show(rows: Rows, form: str) -> None:
    """Print rows in a form."""
    if form == "table":
        sys.stdout.write(f"{rows}\n")
    else:
        text = rows.to_json() if form == "json" else rows.to_csv().rstrip("\n")
        sys.stdout.write(text + "\n")


def run_row(run: Run) -> dict[str, Any]:
    """Give a run as one row."""
    document, counts = run.document, run.counts
    return {
        **{name: document[name] for name in ("id", "source", "rule", "state")},
        "series": counts.get("series"),
        "judged": counts.get("judged"),
        "anomalous": counts.get("anomalous"),
        "detector": document["detector"]["type"],
        "accepted_at": document["accepted_at"],
        "ended_at": document["ended_at"],
        "error": run.error,
        "report_url": run.report_url,
    }


def _runs(asked: argparse.Namespace) -> int:
    found = client_of(asked).runs(
        most=asked.most, source=asked.source, rule=asked.rule, state=asked.state
    )
    show(Rows([run_row(run) for run in found], RUN, "run"), asked.format)
    return FINE


def _anomalies(asked: argparse.Namespace) -> int:
    found = client_of(asked).anomalies(
        most=asked.most,
        source=asked.source,
        rule=asked.rule,
        metric=asked.metric,
        labels=pairs(asked.label, "--label") or None,
        start=asked.start,
        end=asked.end,
        min_severity=asked.min_severity,
        status=asked.status,
        run=asked.run_id,
    )
    show(found, asked.format)
    return FINE
