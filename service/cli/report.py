"""report: the report of a run as a file, for who cannot follow links to the service."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from service.cli.client import open_client
from service.cli.exits import FAILED, EndedError
from service.cli.output import AsJson, say


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(report)


def report(
    run: Annotated[str, typer.Argument(help="Id of the run.")],
    out: Annotated[
        str, typer.Option("--out", "-o", help="File to write, - for standard output.")
    ] = "-",
    page: Annotated[int, typer.Option(min=1, help="Twenty series each, the worst first.")] = 1,
    url: Annotated[str | None, typer.Option(help="The service; LUPUS_URL.")] = None,
    as_json: AsJson = False,
) -> None:
    """Save the report of a run: one HTML page that needs nothing but itself."""
    with open_client(url) as client:
        headers = {"Accept": "text/html"}
        path = f"/v1/detections/{run}/report"
        text = str(client.call("GET", path, params={"page": page}, headers=headers))
    if out == "-":
        sys.stdout.write(text)
        return
    file = Path(out)
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise EndedError(FAILED, f"{out} cannot be written: {error.strerror}") from None
    say(f"written: {out}", {"run": run, "out": out, "bytes": len(text.encode())}, as_json)
