"""retention and rebuild-index: what the index need not keep, and how it is made again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.exits import USAGE, EndedError
from service.cli.output import AsJson, say
from service.cli.who import note_change
from service.months import months_ago_ms

if TYPE_CHECKING:
    from rich.progress import TaskID

_UNITS = {"mo": 1, "y": 12}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(retention)
    app.command("rebuild-index")(rebuild_index)


def retention(
    older_than: Annotated[str, typer.Option(help="Age in months or years: 13mo, 2y.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete whole months of anomalies, points and bands from the index; the archive stays."""
    from service.settings import load_settings  # noqa: PLC0415 - keeps --help fast
    from storage.stores import open_index  # noqa: PLC0415

    before_ms = _first_kept_ms(_months(older_than))
    index = open_index(load_settings().stores)
    try:
        months = index.expire(before_ms, dry_run)
    finally:
        index.close()
    if months and not dry_run:
        gone = [f"{each.month} {each.kind}" for each in months]
        note_change("index.expire", "index", {"older_than": older_than, "months": gone})
    verb = "would delete" if dry_run else "deleted"
    lines = [f"{verb} {each.month} {each.kind}: {each.documents} documents" for each in months]
    say(
        "\n".join(lines) or f"no month is older than {older_than}",
        {"dry_run": dry_run, "months": [vars(each) for each in months]},
        as_json,
    )


def rebuild_index(
    source: Annotated[str | None, typer.Option(help="Only this source; else all of them.")] = None,
    newer_than: Annotated[
        str | None,
        typer.Option(
            help="Leave out older months: 13mo, 2y. Default: LUPUS_RETENTION_INDEX_MONTHS."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the index again from archive and database; it may be repeated, and run beside serve."""
    from service.command_database import open_for_commands  # noqa: PLC0415 - keeps --help fast
    from service.rebuild.run import COUNTS, Rebuild  # noqa: PLC0415
    from service.settings import load_settings  # noqa: PLC0415
    from storage.stores import open_stores  # noqa: PLC0415

    settings = load_settings()
    months = _months(newer_than) if newer_than else settings.retention_index_months
    since_ms = _first_kept_ms(months) if months else None
    with (
        open_for_commands() as (database, _),
        open_stores(settings.stores) as stores,
        days_shown(as_json) as progress,
    ):
        counts = Rebuild(database, stores, progress, since_ms).run(source)
    note_change("index.rebuild", source or "index", {"sources": len(counts)})
    lines = [
        f"{name}: " + ", ".join(f"{some[kind]:,} {kind}" for kind in COUNTS)
        for name, some in counts.items()
    ]
    say("\n".join(lines) or "there is no source", {"sources": counts}, as_json)


@contextmanager
def days_shown(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar of days for each source, where somebody looks."""
    from rich.console import Console  # noqa: PLC0415 - costs 30 ms
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(
        *columns, TextColumn("days"), console=console, disable=quiet or not console.is_terminal
    )
    tasks: dict[str, TaskID] = {}

    def show(source: str, done: int, total: int) -> None:
        if source not in tasks:
            tasks[source] = bar.add_task(source, total=total)
        bar.update(tasks[source], completed=done)

    with bar:
        yield show


def _first_kept_ms(months: int) -> int:
    before_ms = months_ago_ms(datetime.now(UTC), months)
    if before_ms is None:
        raise EndedError(USAGE, f"{months} months: that is before the year 1")
    return before_ms


def _months(text: str) -> int:
    for unit, months in _UNITS.items():
        number = text.removesuffix(unit)
        if number != text and number.isdecimal() and number.isascii() and int(number) > 0:
            return int(number) * months
    raise EndedError(USAGE, f"{text!r}: write months or years, such as 13mo or 2y")
