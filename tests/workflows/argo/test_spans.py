"""Steps in pods of a real cluster belong to the trace of the request that asked for them."""

import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.real import server
from tests.service.collector import spans_of
from tests.service.receiver import receiving
from tests.waiting import until
from tests.workflows.argo.cluster import LONGEST
from tests.workflows.argo.stack import stack
from tests.workflows.world import request, write_daily

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

TRACE, PARENT = "1" * 32, "2" * 16
STEPS = {"step plan", "step detect", "step publish"}


def test_pods_send_the_spans_of_their_steps(tmp_path: Path) -> None:
    host = urlsplit(server("LUPUS_TEST_S3_URL")).hostname  # an address of ours that pods reach
    assert host is not None
    with (
        receiving(host) as collector,
        stack(
            tmp_path,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url.rsplit("/", 1)[0],
            LUPUS_GROUP_POINTS="175",
            LUPUS_CHUNK_SECONDS="0.0007",
        ) as cluster,
    ):
        write_daily(cluster.stores, 12)
        deadline_ms = time.time_ns() // 1_000_000 + 3_600_000
        asked = request(
            "traced", rule="traced", traceparent=f"00-{TRACE}-{PARENT}-01", deadline_ms=deadline_ms
        )
        launcher = cluster.launcher()
        launcher.launch(asked, 1)
        until(lambda: launcher.look("traced", 1).state == "ended", LONGEST)
        launcher.close()
        until(lambda: {span.name for span in spans_of(collector)} >= STEPS, LONGEST)
    spans = spans_of(collector)
    assert {(span.trace, span.parent, span.told["lupus.run"]) for span in spans} == {
        (TRACE, PARENT, "traced")
    }
    chunks = [span.told["lupus.chunk"] for span in spans if span.name == "step detect"]
    assert len(chunks) == len(set(chunks)) > 1, "each chunk's pod has its own"
