"""token create, list, rotate, revoke: on the settings' database, also while no service runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.exits import USAGE, EndedError
from service.cli.output import AsJson, say, table
from service.cli.who import person

if TYPE_CHECKING:
    from service.auth.caller import Verb

_VERBS = ("read", "ingest", "detect")
_AT_ONCE = 1000
TokenId = Annotated[str, typer.Argument(metavar="ID", help="As `token list` shows it.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    token = typer.Typer(
        name="token", help="Make, list, rotate and revoke tokens.", no_args_is_help=True
    )
    token.command()(create)
    token.command("list")(list_)
    token.command()(rotate)
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
    expires_in: Annotated[
        str | None, typer.Option(help="Such as 90d. Default: LUPUS_TOKEN_MAX_DAYS, else never.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token; it is shown this once."""
    from service.api.times import rfc3339_or_none  # noqa: PLC0415 - keeps --help fast
    from service.auth.issue import issue_token  # noqa: PLC0415
    from service.auth.life import end_of_life  # noqa: PLC0415
    from service.command_database import open_for_commands  # noqa: PLC0415
    from service.settings import load_settings  # noqa: PLC0415

    sources, verbs = _granted(source, verb, everything)
    life_ms = _duration("--expires-in", expires_in) if expires_in else None
    max_days = load_settings().token_max_days
    with open_for_commands() as (database, clock):
        now_ms = clock.now_ms()
        end_ms = end_of_life(life_ms, None, now_ms, max_days)
        token, secret = issue_token(database, name, sources, verbs, end_ms, now_ms, person())
    content = {
        "id": token.id,
        "name": name,
        "sources": list(token.sources),
        "verbs": list(token.verbs),
        "expires": rfc3339_or_none(end_ms),
        "token": secret,
    }
    say(f"{secret}\n(id {token.id}; it cannot be shown again)", content, as_json)


def _granted(
    source: list[str] | None, verb: list[str] | None, everything: bool
) -> "tuple[list[str], list[Verb]]":
    from service.auth.caller import PATTERN, VERBS  # noqa: PLC0415
    from service.auth.issue import ordered  # noqa: PLC0415

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
    return sources, ordered([one for one in VERBS if one in wanted])


def _duration(option: str, text: str) -> int:
    from service.duration import duration_ms  # noqa: PLC0415

    try:
        return duration_ms(text)
    except ValueError as error:
        raise EndedError(USAGE, f"{option} {error}") from None


def list_(as_json: AsJson = False) -> None:
    """All tokens, without their secrets."""
    from service.api.tokens import shown  # noqa: PLC0415
    from service.command_database import open_for_commands  # noqa: PLC0415
    from service.database.tokens import Token, list_tokens  # noqa: PLC0415

    found: list[Token] = []
    with open_for_commands() as (database, clock), database.read() as tx:
        while page := list_tokens(tx, _AT_ONCE, found[-1].id if found else ""):
            found += page
        tokens = [shown(token, clock.now_ms()) for token in found]
    rows = [
        {
            "id": token.id,
            "name": token.name,
            "sources": token.sources,
            "verbs": token.verbs,
            "expires": token.expires_at,
            "note": _note(token.revoked_at, token.expires_soon),
            "last used": token.last_used_at,
            "old secret until": token.previous.until if token.previous else None,
            "revoked": token.revoked_at,
        }
        for token in tokens
    ]
    columns = (
        "id", "name", "sources", "verbs", "expires", "note", "last used", "old secret until",
        "revoked",
    )  # fmt: skip
    table("Tokens", columns, rows, as_json)


def _note(revoked_at: str | None, expires_soon: bool) -> str:
    return "ends within 14 days" if expires_soon and revoked_at is None else ""


@contextmanager
def _named() -> Iterator[None]:
    """An id that is not there was written wrongly: wrong usage."""
    from service.errors import UnknownError  # noqa: PLC0415

    try:
        yield
    except UnknownError as error:
        raise EndedError(USAGE, f"{error}: `lupus-server token list` shows all") from None


def rotate(
    id_: TokenId,
    overlap: Annotated[
        str, typer.Option(help="So long the secret before goes on holding; 0s ends it at once.")
    ] = "24h",
    as_json: AsJson = False,
) -> None:
    """Give a token a new secret, shown this once; what it may do and when it ends stay."""
    from service.api.times import rfc3339_or_none  # noqa: PLC0415
    from service.auth.rotate import rotate_token  # noqa: PLC0415
    from service.command_database import open_for_commands  # noqa: PLC0415

    overlap_ms = _duration("--overlap", overlap)
    with open_for_commands() as (database, clock), _named():
        token, secret = rotate_token(database, id_, overlap_ms, clock.now_ms(), person())
    until = rfc3339_or_none(token.previous_until_ms)
    content = {"id": id_, "token": secret, "previous_until": until}
    before = f"the secret before holds until {until}" if until else "secrets before ended"
    say(f"{secret}\n({before}; this one cannot be shown again)", content, as_json)


def revoke(id_: TokenId, as_json: AsJson = False) -> None:
    """End a token at once, with the secret before it."""
    from service.auth.issue import revoke_token  # noqa: PLC0415
    from service.command_database import open_for_commands  # noqa: PLC0415

    with open_for_commands() as (database, clock), _named():
        revoke_token(database, id_, clock.now_ms(), person())
    say(f"token {id_} is revoked", {"id": id_, "revoked": True}, as_json)
