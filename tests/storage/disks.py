"""What a test may do to its small disk."""

import subprocess
from pathlib import Path


def remount(folder: Path, how: str) -> None:
    """Make a small disk read-only (``ro``) or writable (``rw``)."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)
