"""Ingests under kill -9, small: nothing is lost or doubled. `python -m benchmarks.ingest_crowd` and
`ingest_large` are the same with a thousand uploads, and with ten million points."""

from pathlib import Path

import pytest

from tests.service import ingest_drill as drill
from tests.service.served import served


@pytest.mark.slow
@pytest.mark.timeout(900)  # a killed service starts again, slowly where others work
def test_a_crowd_of_uploads_through_kills_of_the_service(tmp_path: Path) -> None:
    uploads, points = 48, 100
    with served(tmp_path / "data", {"LUPUS_PROCESSES": "1"}) as service:
        service.http.put(f"/v1/sources/{drill.SOURCE}", json={"kind": "managed"})
        killer = drill.Killer(service, 11, (0.2, 1.0))
        with killer.at_work(2):
            ids = drill.crowd(service, uploads, points, 8)
            total = drill.wait_for(service, ids)
    assert len(set(ids)) == uploads
    assert total == uploads * points
    assert drill.stored(tmp_path / "data") == (total, total)
    assert killer.kills > 0


@pytest.mark.slow
@pytest.mark.timeout(900)  # a killed service starts again, slowly where others work
def test_one_large_upload_through_kills_of_the_service_and_of_its_pool(tmp_path: Path) -> None:
    path = drill.large_file(tmp_path, "ndjson", 40, 2_000)
    settings = {"LUPUS_PROCESSES": "1", "LUPUS_INGEST_LAUNCH_MB": "1"}
    with served(tmp_path / "data", settings) as service:
        service.http.put(f"/v1/sources/{drill.SOURCE}", json={"kind": "managed"})
        id_ = drill.send(service, "large", path, "application/x-ndjson", packed=True)
        killer = drill.Killer(service, 5, (0.1, 1.5))
        with killer.at_work(2):
            total = drill.wait_for(service, [id_])
    assert total == 80_000
    assert drill.stored(tmp_path / "data") == (total, total)
    assert killer.kills > 0
