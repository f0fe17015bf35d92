"""Who types: the audit log names the person of the operating system."""

import getpass
import os
from collections.abc import Mapping
from typing import Any


def person() -> str:
    """Such as ``cli:ann``; a user without a name, as in many containers, by number."""
    try:
        return f"cli:{getpass.getuser()}"[:200]
    except (OSError, KeyError):
        return f"cli:uid-{os.getuid()}"


def note_change(action: str, object_: str, detail: Mapping[str, Any]) -> None:
    """Log what a command has changed outside the database."""
    from service.command_database import open_for_commands  # noqa: PLC0415 - keeps --help fast
    from service.database.audit import record_change  # noqa: PLC0415

    with open_for_commands() as (database, clock), database.write() as tx:
        record_change(tx, clock.now_ms(), person(), action, object_, detail)
