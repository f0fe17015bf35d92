"""deliveries list, replay: what a running service could not deliver, and once more."""

from typing import Annotated, Any

import typer

from service.cli.client import open_client
from service.cli.exits import USAGE, EndedError
from service.cli.output import AsJson, say, table

_COLUMNS = ("id", "channel", "event", "source", "state", "attempts", "next_try_at", "error")
_PAGE = 1000
_Url = Annotated[str | None, typer.Option(help="The service; LUPUS_URL.")]
_Channel = Annotated[str | None, typer.Option(help="Of this channel only.")]
_Source = Annotated[str | None, typer.Option(help="Of this source only.")]
_Run = Annotated[str | None, typer.Option(help="Of this run only.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    deliveries = typer.Typer(
        name="deliveries",
        help="Show messages to channels, and send them again.",
        no_args_is_help=True,
    )
    deliveries.command("list")(list_)
    deliveries.command()(replay)
    app.add_typer(deliveries)


def list_(
    state: Annotated[
        str | None, typer.Option(help="pending, sent, held or dead. Default: all.")
    ] = None,
    channel: _Channel = None,
    source: _Source = None,
    run: _Run = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most rows.")] = 50,
    url: _Url = None,
    as_json: AsJson = False,
) -> None:
    """Newest first."""
    wanted = _given(state=state, channel=channel, source=source, run=run)
    rows: list[dict[str, Any]] = []
    with open_client(url) as client:
        while len(rows) < limit:
            asked = {**wanted, "limit": min(limit - len(rows), _PAGE)}
            page = client.call("GET", "/v1/deliveries", params=asked)
            rows += page["items"]
            if page["cursor"] is None:
                break
            wanted["cursor"] = page["cursor"]
    table("Deliveries", _COLUMNS, rows, as_json)


def replay(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="As `deliveries list` shows them.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that are dead (or --state held) and match.")
    ] = False,
    state: Annotated[str | None, typer.Option(help="With --all: dead or held.")] = None,
    channel: _Channel = None,
    source: _Source = None,
    run: _Run = None,
    url: _Url = None,
    as_json: AsJson = False,
) -> None:
    """Send again, with the same ids and bodies."""
    which = _given(state=state, channel=channel, source=source, run=run)
    if bool(ids) == everything or (ids and which):
        raise EndedError(USAGE, "give ids, or --all with --channel, --source, --run or --state")
    with open_client(url) as client:
        if ids:
            for id_ in ids:
                client.call("POST", f"/v1/deliveries/{id_}/replay")
            count = len(ids)
        else:
            count = client.call("POST", "/v1/deliveries/replay", json=which)["replayed"]
    say(f"{count} deliveries are tried again", {"replayed": count}, as_json)


def _given(**values: str | None) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
