"""A real service whose machine, disk and neighbours misbehave. It needs no server, but a while."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.service.failure.story import OVER, Story, Told
from tests.service.receiver import receiving
from tests.service.served import served

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

PACE = {"LUPUS_PROCESSES": "2", "LUPUS_CHUNK_SECONDS": "0.001"}
SHORT = Story(sources=1, rules=3, rounds=1, series=6, channels=1)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What an undisturbed service says of the short story."""
    return told_to(tmp_path_factory.mktemp("calm") / "data", PACE, lambda told: None)


def told_to(
    folder: Path, environment: dict[str, str], disturb: Callable[[Told], None]
) -> dict[str, Any]:
    with receiving() as receiver, served(folder, environment) as service:
        told = Told(SHORT, service, receiver)
        thread = threading.Thread(target=disturb, args=(told,))
        thread.start()
        told.tell()
        told.finish()
        thread.join()
        told.check_messages()
        return told.documents()


def test_two_services_share_one_folder(tmp_path: Path, calm: dict[str, Any]) -> None:
    """They share the work, and each run is carried out once."""
    with (
        receiving() as receiver,
        served(tmp_path / "data", PACE) as first,
        served(tmp_path / "data", PACE) as second,
    ):
        told = Told(SHORT, first, receiver)
        told.tell()
        again = Told(SHORT, second, receiver)
        again.tell()  # the same keys: the same ingests and runs
        assert again.runs == told.runs
        again.finish()
        assert again.documents() == told.documents() == calm
        told.check_messages()


def test_objects_deleted_in_mid_run_end_the_run_and_not_the_service(tmp_path: Path) -> None:
    with receiving() as receiver, served(tmp_path / "data", PACE) as service:
        told = Told(SHORT, service, receiver)
        told.tell()
        shutil.rmtree(tmp_path / "data" / "objects", ignore_errors=True)
        for run in told.runs.values():
            page = service.wait_for(
                f"/v1/detections/{run}", lambda a: a.json()["state"] in OVER, 300
            ).json()
            assert page["state"] == "succeeded" or page["error"], page
        again = service.post(f"/v1/detections/{next(iter(told.runs.values()))}/rerun")
        path = f"/v1/detections/{again['id']}"
        ended = service.wait_for(path, lambda a: a.json()["state"] in OVER, 300).json()
        assert ended["state"] in ("succeeded", "partial", "failed")
