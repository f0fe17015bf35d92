"""token create, list, revoke: on the database of the settings, also while no service runs."""

from typing import Annotated

import typer

from service.cli.exits import USAGE, EndedError
from service.cli.output import AsJson, say, table

_VERBS = ("read", "ingest", "detect")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    token = typer.Typer(name="token", help="Make, list and revoke tokens.", no_args_is_help=True)
    token.command()(create)
    token.command("list")(list_)
    token.command()(revoke)
    app.add_typer(token)


def create(
    name: Annotated[str, typer.Option(help="What it is for.")],
    source: Annotated[
        list[str] | None, typer.Option(help="A source, or a pattern with *; repeat it.")
    ] = None,
    verb: Annotated[
        list[str] | None,
        typer.Option(help="read, ingest, detect or manage; repeat it. Default: all but manage."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All sources and all verbs: an administrator.")
    ] = False,
    expires_in: Annotated[str | None, typer.Option(help="Such as 90d. Default: never.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token; it is shown this once."""
    from service.auth.caller import PATTERN, VERBS  # noqa: PLC0415 - keeps --help fast
    from service.auth.issue import issue_token  # noqa: PLC0415
    from service.command_database import open_for_commands  # noqa: PLC0415
    from service.duration import duration_ms  # noqa: PLC0415

    if bool(source) == everything:
        raise EndedError(USAGE, "give --source NAME (or a pattern such as 'job.*'), or --all")
    sources = ["*"] if everything else list(source or ())
    wrong = [one for one in sources if not PATTERN.fullmatch(one)]
    if wrong:
        raise EndedError(USAGE, f"--source {wrong[0]}: allowed are a-z 0-9 . _ - and *")
    wanted = VERBS if everything and not verb else tuple(verb or _VERBS)
    unknown = [one for one in wanted if one not in VERBS]
    if unknown:
        raise EndedError(USAGE, f"--verb {unknown[0]}: allowed are {', '.join(VERBS)}")
    try:
        life_ms = duration_ms(expires_in) if expires_in else None
    except ValueError as error:
        raise EndedError(USAGE, f"--expires-in {error}") from None
    verbs = [one for one in VERBS if one in wanted]
    with open_for_commands() as (database, clock):
        token, secret = issue_token(
            database, name, sources, verbs, life_ms, clock.now_ms(), "command line"
        )
    content = {"id": token.id, "name": name, "sources": sources, "verbs": verbs, "token": secret}
    say(f"{secret}\n(id {token.id}; it cannot be shown again)", content, as_json)


def list_(as_json: AsJson = False) -> None:
    """All tokens, without their secrets."""
    from service.api.times import rfc3339_or_none  # noqa: PLC0415
    from service.command_database import open_for_commands  # noqa: PLC0415
    from service.database.tokens import list_tokens  # noqa: PLC0415

    with open_for_commands() as (database, _), database.read() as tx:
        found = list_tokens(tx)
    rows = [
        {
            "id": token.id,
            "name": token.name,
            "sources": list(token.sources),
            "verbs": list(token.verbs),
            "expires": rfc3339_or_none(token.expires_ms),
            "last used": rfc3339_or_none(token.last_used_ms),
            "revoked": rfc3339_or_none(token.revoked_ms),
        }
        for token in found
    ]
    columns = ("id", "name", "sources", "verbs", "expires", "last used", "revoked")
    table("Tokens", columns, rows, as_json)


def revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="As `token list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """End a token at once."""
    from service.command_database import open_for_commands  # noqa: PLC0415
    from service.database.audit import record_change  # noqa: PLC0415
    from service.database.tokens import revoke_token  # noqa: PLC0415

    with open_for_commands() as (database, clock), database.write() as tx:
        if not revoke_token(tx, id_, clock.now_ms()):
            raise EndedError(USAGE, f"token {id_} does not exist or was revoked before")
        record_change(tx, clock.now_ms(), "command line", "token.revoke", id_)
    say(f"token {id_} is revoked", {"id": id_, "revoked": True}, as_json)
