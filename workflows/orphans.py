"""A worker must not outlive the process it works for (Linux: PR_SET_PDEATHSIG).

The chain is driver -> fork server -> worker. Each link dies with the one before it; what slips
through (a parent that died before the call) is caught by :func:`check_parents` before a commit.
"""

import ctypes
import os
import signal
import sys

import psutil

from workflows.errors import OrphanedError

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the thread that started this process ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def check_parents(driver: int) -> None:
    """Raise OrphanedError unless ``driver`` is still the parent of this worker's fork server."""
    try:
        grandparent = psutil.Process(os.getppid()).ppid()
    except psutil.NoSuchProcess:
        grandparent = 0
    if grandparent != driver:
        raise OrphanedError(f"process {driver}, which this worker works for, is gone")
