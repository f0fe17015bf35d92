"""A folder that may not be written: refused in one sentence, or waited for when it comes later."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from service.app import open_app
from service.clock import MINUTE_MS
from storage.stores import open_stores
from tests.conftest import ROOT
from tests.service.api.house import House, idle_settings
from tests.service.failure.disk import Disk, small_disk
from tests.service.world import world
from tests.workflows.world import storage_settings

POINTS = {"points": [{"metric": "m", "time": "2026-06-01", "value": 1}]}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "small", 12) as mounted:
        yield mounted


def started(folder: Path) -> tuple[int, str]:
    """Exit code and last words of a service that shall start on a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUPUS_")}
    told = {"LUPUS_DATA": str(folder), "LUPUS_PORT": "0", "LUPUS_LOG_LEVEL": "error"}
    ended = subprocess.run(
        [sys.executable, "-m", "service.cli", "serve"],
        env={**kept, **told},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
def test_a_service_does_not_start_on_a_read_only_folder(disk: Disk, used: bool) -> None:
    folder = disk.folder / "data"
    if used:
        with open_app(idle_settings(disk.folder)):
            pass
    disk.remount("ro")
    code, said = started(folder)
    disk.remount("rw")
    assert code in (2, 78), said
    assert said.startswith("lupus-server: "), said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1, said
    assert str(folder) in said


def test_stores_that_turn_read_only_refuse_and_work_again(disk: Disk, tmp_path: Path) -> None:
    settings = idle_settings(
        tmp_path, archive=f"file://{disk.folder}/archive", objects=f"file://{disk.folder}/objects"
    )
    with open_app(settings) as app:
        house = House(app)
        house.source("shop")
        disk.remount("ro")
        refused = house.http.post("/v1/sources/shop/points", json=POINTS)
        assert refused.status_code == 502, refused.text
        assert "ead-only" in refused.json()["detail"]
        assert house.http.get("/v1/sources/shop").status_code == 200
        disk.remount("rw")
        assert house.send("shop", POINTS["points"])["state"] == "succeeded"


def test_accepted_points_wait_for_an_archive_that_may_be_written(
    disk: Disk, tmp_path: Path
) -> None:
    """An operator's slip of a minute must not cost what the service promised to keep."""
    (tmp_path / "world").mkdir()
    settings = replace(
        storage_settings(tmp_path / "stores"), archive=f"file://{disk.folder}/archive"
    )
    with world(tmp_path / "world") as house, open_stores(settings) as stores:
        house.parts = replace(house.parts, stores=stores)
        ingest = house.accept_points()
        seen = []
        for how in ("ro", "rw"):
            disk.remount(how)
            house.tick("ingest")
            found = house.ingest(ingest)
            seen.append((found.state, "ead-only" in found.error))
            house.clock.advance(MINUTE_MS)
        assert seen == [("queued", True), ("succeeded", False)]
