"""import: points of a file into a source, through a service or into the embedded stores."""

from typing import Annotated

import typer

from service.cli.output import AsJson, say


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("import")(import_)


def import_(
    file: Annotated[str, typer.Argument(help="CSV, Parquet, NDJSON or Arrow; .gz is fine.")],
    source: Annotated[str, typer.Option(help="Source that gets the points.")],
    time: Annotated[
        str | None, typer.Option(help="Column of times, when it is not `time`.")
    ] = None,
    value: Annotated[
        list[str] | None,
        typer.Option(help="Column of values, each its own metric; repeat it."),
    ] = None,
    by: Annotated[list[str] | None, typer.Option(help="Column of labels; repeat it.")] = None,
    url: Annotated[
        str | None, typer.Option(help="Send to this service; else store in the data folder.")
    ] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Make the source when it is not there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import points: columns time, value, metric, and a label in each other column."""
    from service.cli.import_file import Import, into_service, into_stores  # noqa: PLC0415

    wanted = Import(file, source, time, tuple(value or ()), tuple(by or ()), create)
    done = into_service(wanted, url) if url else into_stores(wanted)
    say(f"{done['points']:,} points stored in {source}", done, as_json)
