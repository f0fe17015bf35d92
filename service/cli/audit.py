"""audit: who changed what, on the settings' database, also while no service runs."""

from typing import Annotated

import typer

from service.cli.exits import USAGE, EndedError
from service.cli.output import AsJson, table

_COLUMNS = ("at", "caller", "action", "object", "detail")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(audit)


def audit(
    caller: Annotated[str | None, typer.Option(help="Who: token:ID, cli:ann, service.")] = None,
    action: Annotated[
        str | None, typer.Option(help="Such as token.rotate, or token for all of them.")
    ] = None,
    object_: Annotated[str | None, typer.Option("--object", help="Name or id.")] = None,
    since: Annotated[str | None, typer.Option(help="RFC 3339, a date, or an age: 7d.")] = None,
    until: Annotated[str | None, typer.Option(help="The same; exclusive.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most rows.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Changes that people, tokens and the service made, newest first."""
    from service.api.audit import shown  # noqa: PLC0415 - keeps --help fast
    from service.command_database import open_for_commands  # noqa: PLC0415
    from service.database.audit import AuditFilter, list_changes  # noqa: PLC0415

    with open_for_commands() as (database, clock), database.read() as tx:
        now_ms = clock.now_ms()
        which = AuditFilter(
            caller, action, object_, None, _ms("--since", since, now_ms),
            _ms("--until", until, now_ms),
        )  # fmt: skip
        rows = [shown(entry).model_dump() for entry in list_changes(tx, limit, which)]
    if not as_json:
        rows = [{**row, "detail": _short(row["detail"])} for row in rows]
    table("Changes", _COLUMNS, rows, as_json)


def _ms(option: str, text: str | None, now_ms: int) -> int | None:
    from service.api.errors import QueryError  # noqa: PLC0415
    from service.api.times import query_ms  # noqa: PLC0415
    from service.duration import duration_ms  # noqa: PLC0415

    if text is None:
        return None
    try:
        return now_ms - duration_ms(text)
    except ValueError:
        pass
    try:
        return query_ms(option, text)
    except QueryError as error:
        raise EndedError(USAGE, f"{option} {error.message}; or an age such as 7d") from None


def _short(detail: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in detail.items())[:200]
