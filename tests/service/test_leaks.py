"""Runs leave no file, thread or connection open; `benchmarks/soak.py` is the long version."""

import threading
from pathlib import Path

import psutil

from tests.service.world import World
from tests.service.world import world as open_world


def some_runs(world: World, number: int) -> None:
    for _ in range(number):
        world.accept()
        while world.tick("run"):
            world.clock.advance(1000)


def test_two_hundred_runs_leave_nothing_open(tmp_path: Path) -> None:
    process = psutil.Process()
    with open_world(tmp_path) as world:
        some_runs(world, 10)
        files, threads = process.num_fds(), threading.active_count()
        some_runs(world, 200)
        assert len(world.launcher.launched) == 210
        # A new generation of connections may be opened before the one before is closed.
        assert process.num_fds() <= files + 2
        assert threading.active_count() <= threads
