"""What the API shows of an anomaly that is a lasting change."""

from service.api.anomalies import shown
from tests.storage.documents import anomaly


def test_a_change_is_shown_with_its_dates_and_others_have_none() -> None:
    said = {
        "kind": "level",
        "size": -12.5,
        "confidence": 0.995,
        "earliest_ms": 0,
        "latest_ms": 86_400_000,
    }
    found = shown(anomaly(5, change=said)).model_dump()
    assert found["change"] == {
        "kind": "level",
        "size": -12.5,
        "confidence": 0.995,
        "earliest": "1970-01-01T00:00:00Z",
        "latest": "1970-01-02T00:00:00Z",
    }
    assert shown(anomaly(5)).change is None
