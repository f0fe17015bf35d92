"""Who a worker process is, so that another one on the same machine can tell that it is gone."""

import socket
from pathlib import Path

import psutil

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


def machine() -> str:
    """This boot of this machine or container: process numbers mean the same within it."""
    try:
        boot = _BOOT.read_text("ascii").strip()
        return f"{boot}-{_NAMESPACE.stat().st_ino}"
    except OSError:
        return socket.gethostname()


def process_identity() -> str:
    """``machine:pid:start``; a process number that is used again has another start."""
    process = psutil.Process()
    return f"{machine()}:{process.pid}:{_start(process)}"


def is_dead(identity: str) -> bool:
    """Whether that process is known to be gone; False when this machine cannot tell.

    What follows a ``/`` names a thread of it.
    """
    parts = identity.partition("/")[0].rsplit(":", 2)
    if len(parts) != 3 or parts[0] != machine() or not parts[1].isdigit():
        return False
    _, number, start = parts
    try:
        process = psutil.Process(int(number))
        return str(_start(process)) != start or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def _start(process: psutil.Process) -> int:
    # Clock ticks since the boot: unlike a time of day it does not move when the clock is set.
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text("ascii", "replace")
        return int(fields.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return int(process.create_time())
