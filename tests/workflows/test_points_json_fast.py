"""The fast reader of JSON is taken only where it says what the strict one says."""

import json
from typing import Any

import pytest

from workflows.points_json import _fast, _is_plain_body, _is_plain_point, _parse

PLAIN = '{"metric": "m", "labels": {"a": "x", "b": ""}, "time": "2026-01-01", "value": 0.1}'
ODD = [
    '{"metric": "m", "metric": "n", "time": "2026-01-01", "value": 1}',
    '{"metric" : "m", "time": "2026-01-01", "value": 1, "value" :2}',
    '{"metric": "m", "labels": {"a": "x", "a": "y"}, "time": "t", "value": 1}',
    '{"metric": "m", "labels": {"a": 1, "a": "y"}, "time": "t", "value": 1}',
    '{"metric": "m", "labels": {"a": "x", "a": 1}, "time": "t", "value": 1}',
    '{"metric": 1, "metric": "m", "time": "t", "value": 2}',
    '{"time": 5, "metric": "m", "time": "t", "value": 2}',
    '{"metric": "m", "time": 5, "value": 2, "value": 2}',
    '{"metric": "m", "labels": null, "labels": {}, "time": "t", "value": 2}',
]


def strict(text: str) -> Any:
    try:
        return _parse(text.encode())
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("text", ODD)
def test_a_key_that_is_there_twice_is_never_taken(text: str) -> None:
    assert "twice" in strict(text)
    assert _fast(text.encode(), _is_plain_point) is None
    assert _fast(f'{{"points": [{PLAIN}, {text}]}}'.encode(), _is_plain_body) is None


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        '{"metric":"é","time":"2026-01-01","value":null}',
        '{"metric": "m", "time": "t", "value": 1e400}',
        '{"metric": "m", "time": "t", "value": 0.1000000000000000055511151231257827}',
        '{"metric": "m", "time": "t", "value": 5e-324}',
        '{"metric": "m", "time": "t", "value": 123456789012345678901234567890}',
        '{"metric": "a\\"b", "time": "t", "value": 1}',
        '{"metric": "\\ud800", "time": "t", "value": 1}',
        '{"metric": "m", "time": "t", "value": NaN}',
        '{"metric": "m"}',
        '{"metric": "m", "time": "t", "value": 1} x',
        "[]",
        "nonsense",
    ],
)
def test_what_it_takes_is_what_the_strict_one_reads(text: str) -> None:
    found = _fast(text.encode(), _is_plain_point)
    assert found is None or repr(found) == repr(strict(text))


def test_plain_points_are_taken() -> None:
    assert _fast(PLAIN.encode(), _is_plain_point) == json.loads(PLAIN)
    body = f'{{"points": [{PLAIN}, {PLAIN}]}}'
    assert _fast(body.encode(), _is_plain_body) == json.loads(body)
    assert _fast(b'{"points": []}', _is_plain_body) == {"points": []}
