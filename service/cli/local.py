"""try, demo, compact, docs, step: commands that need no running service."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.exits import ANOMALIES, FAILED, USAGE, EndedError
from service.cli.output import AsJson, say
from service.cli.who import note_change


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("try")(try_)
    app.command()(demo)
    app.command()(compact)
    app.command()(docs)
    app.command()(step)


def try_(
    file: Annotated[str, typer.Argument(help="CSV or Parquet, - for CSV on standard input.")],
    time: Annotated[str | None, typer.Option(help="Column of times. Default: guessed.")] = None,
    value: Annotated[
        list[str] | None, typer.Option(help="Column of values; repeat it. Default: guessed.")
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option(help="Column of labels; repeat it. Default: guessed.")
    ] = None,
    detector: Annotated[
        str | None, typer.Option(help="A type, or JSON with parameters. Default: chosen.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="Zone of days and of times without one.")] = "UTC",
    last: Annotated[str | None, typer.Option(help="Judge only the end, such as 7d.")] = None,
    out: Annotated[
        str | None, typer.Option(help="Write the answers: .csv, .parquet, .png or .html.")
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(help="A time: say step by step why its points were judged as they were."),
    ] = None,
    fail_on: Annotated[
        str | None, typer.Option(help="Exit with 1 from this severity on, for scripts.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find anomalies in a file, without a service."""
    from rich.console import Console  # noqa: PLC0415 - keeps --help fast

    from service.tryout.errors import TryError  # noqa: PLC0415
    from service.tryout.run import TryOptions, try_file  # noqa: PLC0415

    options = TryOptions(
        path=file,
        time=time,
        values=tuple(value or ()),
        by=tuple(by) if by else None,
        detector=detector,
        timezone=timezone,
        last=last,
        out=out,
        explain=explain,
    )
    level = _level(fail_on)
    try:
        findings = try_file(options, Console(), as_json)
    except TryError as error:
        raise EndedError(USAGE, str(error)) from None
    worst = max((int(finding.result.severity.max(initial=0)) for finding in findings), default=0)
    if level is not None and worst >= level:
        raise EndedError(ANOMALIES)


def _level(fail_on: str | None) -> int | None:
    levels = {"warning": 1, "major": 2, "critical": 3}
    if fail_on is not None and fail_on not in levels:
        raise EndedError(USAGE, f"--fail-on {fail_on}: allowed are {', '.join(levels)}")
    return levels[fail_on] if fail_on else None


def demo(
    folder: Annotated[Path, typer.Option(help="Folder of its data; emptied first.")] = Path(
        ".lupus/demo"
    ),
) -> None:
    """Plant events in realistic series, detect them over HTTP, show what was found and missed."""
    from rich.console import Console  # noqa: PLC0415

    from service.demo.api import DemoError  # noqa: PLC0415
    from service.demo.run import run_demo  # noqa: PLC0415

    try:
        code = run_demo(folder, Console())
    except DemoError as error:
        raise EndedError(FAILED, str(error)) from None
    if code:
        raise EndedError(FAILED)


def compact(
    source: Annotated[str, typer.Argument(help="Name of the source.")], as_json: AsJson = False
) -> None:
    """Fold the many small files of a source's partitions into few."""
    from service.settings import load_settings  # noqa: PLC0415
    from storage.stores import open_stores  # noqa: PLC0415

    with open_stores(load_settings().stores) as stores:
        folded = stores.archive.compact(source)
    note_change("source.compact", source, {"files": folded})
    say(f"{folded} files folded", {"source": source, "files": folded}, as_json)


def docs(
    folder: Annotated[Path, typer.Argument(help="Folder of the documentation.")] = Path("docs"),
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with 2 when a page is stale.")
    ] = False,
) -> None:
    """Make the pages that follow from the code, and the tables in those on detectors."""
    from service.generated_docs import stale_pages, write_pages  # noqa: PLC0415

    if not check:
        write_pages(folder)
        return
    stale = stale_pages(folder)
    if stale:
        raise EndedError(FAILED, f"stale: {', '.join(stale)}; run `lupus-server docs`")


def step() -> None:
    """Run one step of a run by hand, exactly as a pod does: `step plan RUN`; `step --help`."""
