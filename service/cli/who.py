"""Who types: the audit log names the person of the operating system."""

import getpass
import os


def person() -> str:
    """Such as ``cli:ann``; a user without a name, as in many containers, by number."""
    try:
        return f"cli:{getpass.getuser()}"[:200]
    except (OSError, KeyError):
        return f"cli:uid-{os.getuid()}"
