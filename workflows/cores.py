"""How many processes are worth starting here: a container may use less than its machine has."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_CPU_FILES = ("cpu.max", "cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us")  # version 2, version 1
_MEMORY_FILES = ("memory.max", "memory/memory.limit_in_bytes")
_NO_LIMIT = 1 << 60  # version 1 says "none" by a number beyond any machine
MIB = 1024 * 1024
# Half of a container's memory is for the process that has the pool; the rest for those in it.
_PROCESS_BYTES = 2 * 256 * MIB


def usable_processes(cgroup: Path = _CGROUP) -> int:
    """One per core that may be used, but no more than a container's memory has room for."""
    limits = [len(os.sched_getaffinity(0))] if hasattr(os, "sched_getaffinity") else []
    limits = limits or [os.cpu_count() or 1]
    if (cores := _cores(cgroup)) is not None:
        limits.append(math.ceil(cores))
    if (memory := memory_limit(cgroup)) is not None:
        limits.append(memory // _PROCESS_BYTES)
    return max(1, min(limits))


def memory_limit(cgroup: Path = _CGROUP) -> int | None:
    """Bytes that a container may take; None without a limit."""
    for name in _MEMORY_FILES:
        numbers = _numbers(cgroup, name)
        if numbers and numbers[0] < _NO_LIMIT:
            return numbers[0]
    return None


def _cores(cgroup: Path) -> float | None:
    for names in _CPU_FILES:
        numbers = _numbers(cgroup, names)
        if len(numbers) == 2 and numbers[0] > 0 and numbers[1] > 0:
            return numbers[0] / numbers[1]
    return None


def _numbers(cgroup: Path, names: str) -> list[int]:
    """The words of small files; none where one is missing, or says ``max``."""
    try:
        words = [(cgroup / name).read_text("ascii").split() for name in names.split()]
        return [int(word) for line in words for word in line]
    except (OSError, ValueError):
        return []
