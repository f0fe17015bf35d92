"""``lupus send``: numbers of the command line, of a file or of a pipe."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lupus.cli.asked import client_of, pairs
from lupus.cli.exits import FINE, UsageError
from lupus.cli.lines import Line, read_lines
from lupus.client.points import metrics_of
from lupus.metric import Metric
from lupus.metrics import Metrics


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "send",
        parents=[shared],
        help="send metrics to a data source",
        description="Send metrics: NAME=VALUE arguments, or a file or standard input with CSV "
        "(columns metric or name, value, maybe time, and labels) or JSON lines "
        '({"name": ..., "value": ..., "labels": {...}, "time": ...}).',
    )
    parser.set_defaults(run=_run)
    parser.add_argument("source", help="the data source, such as job.service1-recommend")
    parser.add_argument("metrics", nargs="*", metavar="NAME=VALUE")
    parser.add_argument("--file", metavar="FILE", help="CSV or JSON lines; - is standard input")
    parser.add_argument(
        "--at", metavar="TIME", help="start of what they describe: a date, or RFC 3339 with offset"
    )
    parser.add_argument("--label", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument(
        "--nan",
        choices=("error", "skip", "remove"),
        default="error",
        help="what happens with metrics that have no value",
    )
    parser.add_argument(
        "--log",
        action="store_true",
        help="the lines are a log: take those that are JSON with name and value, pass others over",
    )
    parser.add_argument("--dry-run", action="store_true", help="only check")


def _run(asked: argparse.Namespace) -> int:
    labels = pairs(asked.label, "--label")
    lines = _lines(asked)
    client = client_of(asked)
    with client.batch(asked.source, nan=asked.nan, dry_run=asked.dry_run) as batch:
        if asked.metrics:
            batch.send(_numbers(asked.metrics), asked.at, labels=labels)
        for at, metrics in _by_time(lines, asked.at):
            batch.send(metrics, at, labels=labels)
    sys.stdout.write(f"{batch.sent}\n")
    return FINE


def _lines(asked: argparse.Namespace) -> list[Line]:
    if asked.file is None and (asked.metrics or sys.stdin.isatty()):
        if not asked.metrics:
            raise UsageError("nothing to send: give NAME=VALUE, --file, or lines on standard input")
        return []
    if asked.file in (None, "-"):
        return read_lines(sys.stdin.read(), "standard input", asked.log)
    try:
        text = Path(asked.file).read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{asked.file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{asked.file} is not UTF-8") from None
    return read_lines(text, asked.file, asked.log)


def _numbers(texts: Iterable[str]) -> Metrics:
    found: list[Metric] = []
    for text in texts:
        name, equals, value = text.rpartition("=")
        if not equals:
            raise UsageError(f"{text!r}: write NAME=VALUE")
        try:
            found.append(Metric(name, float(value)))
        except ValueError as error:
            why = f"{value!r} is no number" if name else error
            raise UsageError(f"{text!r}: {why}") from None
    return metrics_of(found)


def _by_time(lines: Iterable[Line], at: Any) -> Iterable[tuple[Any, Metrics]]:
    found: dict[Any, list[Metric]] = {}
    for line in lines:
        found.setdefault(line.time if line.time is not None else at, []).append(line.metric)
    return [(time, metrics_of(metrics)) for time, metrics in found.items()]
