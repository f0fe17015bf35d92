"""Frozen dataclasses survive JSON; what does not fit is named, never misread."""

import dataclasses
import json

import pytest

from storage.source import ExternalMapping, PartitionColumn, SourceSpec, TimeColumns
from workflows.codec import dump, load
from workflows.errors import CommitError
from workflows.request import REQUEST_FORMAT, RunRequest

REQUEST = RunRequest(
    run="r1",
    generation=7,
    source=SourceSpec(
        "job.service1",
        "Asia/Tokyo",
        ExternalMapping(
            "warehouse",
            "quality.metrics",
            TimeColumns(("dt", "hour"), "string", "%Y%m%d %H"),
            value_columns=("ndcg", "recall"),
            partitions=(PartitionColumn("dt", "%Y%m%d"),),
        ),
        {"ndcg": 3_600_000},
        {"ndcg": {"unit": "ratio", "goal": 0.4}},
    ),
    metrics=("ndcg@10", "recall*"),
    start_ms=1,
    end_ms=2,
    detector={"type": "threshold", "lower": {"warning": 0.35}, "upper": None},
    accepted_ms=3,
    deadline_ms=4,
    rule="ndcg-daily",
    labels={"region": ("jp", "!tw"), "model": None},
)


def test_a_request_survives() -> None:
    assert load(RunRequest, dump(REQUEST, REQUEST_FORMAT), REQUEST_FORMAT) == REQUEST


def test_missing_fields_take_their_defaults() -> None:
    content = json.loads(dump(REQUEST, 1))
    del content["max_series"], content["labels"]
    read = load(RunRequest, json.dumps(content).encode(), 1)
    assert read == dataclasses.replace(REQUEST, labels={})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"generation": "7"}, "RunRequest.generation"),
        ({"generation": True}, "RunRequest.generation"),
        ({"require_points": "maybe"}, "RunRequest.require_points"),
        ({"metrics": "ndcg"}, "RunRequest.metrics"),
        ({"metrics": [1]}, r"RunRequest.metrics\[0\]"),
        ({"colour": "red"}, "colour"),
        ({"source": {"name": "a", "mapping": 3}}, "RunRequest.source.mapping"),
        ({"format": 2}, "format 1"),
    ],
)
def test_a_field_that_does_not_fit_is_named(change: dict[str, object], words: str) -> None:
    content = json.loads(dump(REQUEST, 1)) | change
    with pytest.raises(CommitError, match=words):
        load(RunRequest, json.dumps(content).encode(), 1)


def test_a_missing_required_field_and_broken_json_are_refused() -> None:
    content = json.loads(dump(REQUEST, 1))
    del content["end_ms"]
    with pytest.raises(CommitError, match="end_ms"):
        load(RunRequest, json.dumps(content).encode(), 1)
    with pytest.raises(CommitError, match="JSON"):
        load(RunRequest, b"{", 1)


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        dump(TimeColumns((float("nan"),)), 1)  # type: ignore[arg-type]


def test_a_field_that_steps_do_without_is_not_written_for_them() -> None:
    """An older image would refuse it."""
    traced = dataclasses.replace(REQUEST, traceparent="00-1-2-01")
    assert load(RunRequest, dump(traced, REQUEST_FORMAT), REQUEST_FORMAT) == traced
    assert b"traceparent" not in dump(REQUEST, REQUEST_FORMAT)
