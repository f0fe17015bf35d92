"""retention: what the index need not keep for ever."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from service.cli.exits import USAGE, EndedError
from service.cli.output import AsJson, say

_UNITS = {"mo": 1, "y": 12}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(retention)


def retention(
    older_than: Annotated[str, typer.Option(help="Age in months or years: 13mo, 2y.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete whole months of anomalies, points and bands from the index; the archive stays."""
    from service.settings import load_settings  # noqa: PLC0415 - keeps --help fast
    from storage.stores import open_index  # noqa: PLC0415

    before_ms = months_ago_ms(datetime.now(UTC), _months(older_than))
    index = open_index(load_settings().stores)
    try:
        months = index.expire(before_ms, dry_run)
    finally:
        index.close()
    verb = "would delete" if dry_run else "deleted"
    lines = [f"{verb} {each.month} {each.kind}: {each.documents} documents" for each in months]
    say(
        "\n".join(lines) or f"no month is older than {older_than}",
        {"dry_run": dry_run, "months": [vars(each) for each in months]},
        as_json,
    )


def months_ago_ms(now: datetime, months: int) -> int:
    """The first instant of the UTC month so many months before this one: what is older ended
    at least so long ago."""
    total = now.year * 12 + now.month - 1 - months
    year, month = divmod(total, 12)
    if year < 1:
        raise EndedError(USAGE, f"--older-than {months} months: that is before the year 1")
    return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp()) * 1000


def _months(text: str) -> int:
    for unit, months in _UNITS.items():
        number = text.removesuffix(unit)
        if number != text and number.isdecimal() and number.isascii() and int(number) > 0:
            return int(number) * months
    raise EndedError(USAGE, f"--older-than {text}: write months or years, such as 13mo or 2y")
