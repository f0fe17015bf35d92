"""What a container may use, as both versions of control groups say it."""

import os
from pathlib import Path

import pytest

from workflows.cores import memory_limit, usable_processes

GIB = 1 << 30


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", "ascii")
    return folder


@pytest.mark.parametrize(
    ("files", "processes"),
    [
        ({}, 64),
        ({"cpu.max": "max 100000", "memory.max": "max"}, 64),
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 64),
        ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4),
        ({"memory.max": str(2 * GIB)}, 4),
        ({"memory.max": str(GIB // 8)}, 1),
        ({"memory/memory.limit_in_bytes": "9223372036854771712"}, 64),
        ({"memory/memory.limit_in_bytes": str(4 * GIB), "cpu.max": "300000 100000"}, 3),
    ],
)
def test_a_container_starts_no_more_than_its_limits_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], processes: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert usable_processes(written(tmp_path, files)) == processes


def test_the_limit_of_memory_is_told_in_bytes(tmp_path: Path) -> None:
    assert memory_limit(tmp_path) is None
    assert memory_limit(written(tmp_path, {"memory/memory.limit_in_bytes": "5000"})) == 5000
