"""explain: why a run said what it said of one point, from a running service."""

from typing import Annotated, Any

import typer

from service.cli.client import open_client
from service.cli.output import AsJson, say


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(explain)


def explain(
    run: Annotated[str, typer.Argument(help="Id of the run.")],
    series: Annotated[
        str, typer.Argument(help="Id of the series, or its name: 'ndcg@10{region=\"jp\"}'.")
    ],
    time: Annotated[
        str, typer.Argument(help="Of the point: RFC 3339, or a date in the source's zone.")
    ],
    url: Annotated[str | None, typer.Option(help="The service; LUPUS_URL.")] = None,
    as_json: AsJson = False,
) -> None:
    """Why a point was, was not, or could not be judged an anomaly, and who was told."""
    with open_client(url) as client:
        path = f"/v1/detections/{run}/explain"
        found: dict[str, Any] = client.call("GET", path, params={"series": series, "time": time})
    if as_json:
        say("", found, as_json)
        return
    from rich.console import Console  # noqa: PLC0415 - costs 30 ms

    from service.explain.show import show_steps  # noqa: PLC0415

    title = f"{found['name']} at {found['time']}"
    show_steps(Console(), title, [(step["kind"], step["says"]) for step in found["steps"]])
