"""An explanation in a terminal: one row for each step."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_MARKS = {"verdict": "bold"}


def show_steps(console: Console, title: str, steps: Iterable[tuple[str, str]]) -> None:
    """Print kinds and sentences of steps, in their order."""
    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
    table.add_column("step", style="dim", no_wrap=True)
    table.add_column("what it says", overflow="fold")
    for kind, says in steps:
        table.add_row(kind.replace("_", " "), escape(says), style=_MARKS.get(kind))
    console.print(table)
