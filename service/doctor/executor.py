"""Who runs the steps: processes of this machine, or pods."""

import multiprocessing
import os
from collections.abc import Iterator

import psutil

from service.settings import Settings
from storage.check import Finding
from workflows.cores import memory_limit, usable_processes

PART = "executor"
MIB = 1024 * 1024
_START_SECONDS = 60.0
_NO_LIMIT = 1 << 62


def check(settings: Settings) -> Iterator[Finding]:
    """The local pool (which ``auto`` has too), and the cluster."""
    if settings.executor in ("local", "auto"):
        yield from _local(settings)
    if settings.executor in ("argo", "auto"):
        from service.doctor import argo  # noqa: PLC0415 - with Argo only

        yield from argo.check(settings)


def _local(settings: Settings) -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    processes = settings.processes or usable_processes()
    told = f"{processes} processes on {cores} cores"
    if processes > cores:
        advice = f"set LUPUS_PROCESSES={cores}: more only take memory"
        yield Finding(PART, "cores", "warning", told, advice)
    else:
        yield Finding(PART, "cores", "ok", told)
    yield _memory(processes * settings.pool_memory_mb + settings.duckdb_memory_mb)
    yield _forkserver()


def _memory(wanted: int) -> Finding:
    there = min(psutil.virtual_memory().total, memory_limit() or _NO_LIMIT) // MIB
    told = f"up to {wanted:,} MiB of {there:,} MiB"
    if wanted > there:
        advice = "lower LUPUS_PROCESSES or LUPUS_POOL_MEMORY_MB, or give more memory"
        return Finding(PART, "memory", "warning", told, advice)
    return Finding(PART, "memory", "ok", told)


def _forkserver() -> Finding:
    advice = "allow this user more processes, and a /tmp (TMPDIR) that holds sockets"
    process = multiprocessing.get_context("forkserver").Process(target=os.getpid, daemon=True)
    try:
        process.start()
        process.join(_START_SECONDS)
    except OSError as error:
        return Finding(PART, "processes", "failed", f"cannot be started: {error.strerror}", advice)
    if process.exitcode != 0:
        process.kill()
        told = f"a process of the pool ended with {process.exitcode}"
        return Finding(PART, "processes", "failed", told, advice)
    return Finding(PART, "processes", "ok", "can be started")
