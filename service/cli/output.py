"""What commands print: a table or sentences for people, one JSON value with ``--json``."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value.")]


def say(text: str, content: Mapping[str, Any], as_json: bool) -> None:
    """Print a sentence, or its content."""
    line = json.dumps(content, ensure_ascii=False) if as_json else text
    sys.stdout.write(line + "\n")


def tell(text: str) -> None:
    """Say to whoever watches what goes on; results go to standard output."""
    sys.stderr.write(f"lupus-server: {text}\n")
    sys.stderr.flush()


def table(
    title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], as_json: bool
) -> None:
    """Print rows."""
    if as_json:
        sys.stdout.write(json.dumps(list(rows), ensure_ascii=False) + "\n")
        return
    from rich.console import Console  # noqa: PLC0415 - costs 30 ms
    from rich.table import Table  # noqa: PLC0415

    shown = Table(*columns, title=title)
    for row in rows:
        shown.add_row(*(_cell(row.get(column)) for column in columns))
    Console().print(shown)


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
