"""The command mlflow-import: what was typed, checked; both servers opened; what was done, said."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, cast

from service.cli.client import open_client
from service.cli.exits import USAGE, EndedError
from service.cli.watch import seconds_of
from service.clock import SystemClock
from service.mlflow.lupus import Lupus
from service.mlflow.mapping import LeftOut, Naming, RunLabel
from service.mlflow.run import Done, Import, Wanted
from service.mlflow.server import open_server
from service.mlflow.tracking import Tracking
from storage.errors import InvalidError
from storage.series_key import check_source


@dataclass(frozen=True)
class Asked:
    """What the command line said."""

    source: str
    mlflow_url: str | None = None
    url: str | None = None
    experiments: tuple[str, ...] = ("*",)
    models: tuple[str, ...] = ("*",)
    metrics: tuple[str, ...] = ()
    histories: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    prefix: str = ""
    run_label: str = "none"
    dataset_label: bool = False
    children: bool = False
    release_to: tuple[str, ...] = ()
    since: str | None = None
    overlap: str = "1d"
    per_second: float = 10.0
    page: int = 100
    retry_for: str = "2m"
    create: bool = False


def carry_out(asked: Asked) -> tuple[str, dict[str, Any]]:
    """Import; returns a sentence and the same as JSON."""
    for name in (asked.source, *asked.release_to):
        try:
            check_source(name)
        except InvalidError as error:
            raise EndedError(USAGE, f"--{error}") from None
    wanted = _wanted(asked)
    patience = seconds_of("--retry-for", asked.retry_for)
    with ExitStack() as stack:
        server = stack.enter_context(open_server(asked.mlflow_url, asked.per_second, patience))
        client = stack.enter_context(open_client(asked.url, patience))
        lupus = Lupus(client, asked.source)
        if asked.create:
            lupus.create()
        released = [Lupus(client, name) for name in asked.release_to]
        done = Import(Tracking(server, asked.page), lupus, released, wanted).run()
    content = {
        "source": asked.source,
        "points": lupus.sent,
        **vars(done),
        "questions": server.asked,
        "left_out": dict(wanted.naming.left_out.counts),
    }
    return _said(asked.source, lupus.sent, done, wanted.naming.left_out), content


def _wanted(asked: Asked) -> Wanted:
    naming = Naming(
        source=asked.source,
        metrics=asked.metrics,
        histories=asked.histories,
        params=asked.params,
        prefix=asked.prefix,
        run_label=cast(RunLabel, asked.run_label),
        dataset_label=asked.dataset_label,
        children=asked.children,
    )
    return Wanted(
        naming=naming,
        now_ms=SystemClock().now_ms(),
        experiments=asked.experiments,
        models=asked.models,
        since_ms=None if asked.since is None else _day_ms(asked.since),
        overlap_ms=round(seconds_of("--overlap", asked.overlap) * 1000),
    )


def _day_ms(text: str) -> int:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise EndedError(USAGE, f"--since: {text!r}: allowed is a date, 2026-11-01") from None
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _said(source: str, points: int, done: Done, left_out: LeftOut) -> str:
    lines = [
        f"{points:,} points in {source}, of {done.runs:,} runs and {done.versions:,} versions, "
        f"{done.releases:,} new releases"
    ]
    lines += [
        f"  {count:,} left out: {reason} (first: {left_out.first[reason]})"
        for reason, count in left_out.counts.items()
    ]
    return "\n".join(lines)
