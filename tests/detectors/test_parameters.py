"""Parameters: what is accepted, in which form it is kept, how a refusal reads."""

from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from detectors import ParameterError
from detectors.parameters import checked, describe, dump_length, parameter, parse_length


@dataclass
class Example:
    share: float = parameter(
        0.5, {"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "A share."
    )
    count: int | None = parameter(None, {"type": ["integer", "null"], "minimum": 1}, "A count.")
    side: str = parameter("up", {"type": "string", "enum": ["up", "down"]}, "A side.")
    flag: bool = parameter(False, {"type": "boolean"}, "A flag.")
    plain: int = field(default=0)


ITEMS = {item.name: item for item in fields(Example)}


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("share", 1, 1.0),
        ("share", np.float32(0.25), 0.25),
        ("count", np.int64(3), 3),
        ("count", None, None),
        ("side", "down", "down"),
        ("flag", True, True),
        ("flag", np.bool_(True), True),
    ],
)
def test_values_are_kept_as_python_ones(name: str, value: Any, kept: Any) -> None:
    found = checked(ITEMS[name], value)
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("share", 0, "share: 0 is not allowed; give a number > 0 and <= 1"),
        ("share", float("nan"), "share: nan is not allowed; give a number > 0 and <= 1"),
        ("share", "half", "share: 'half' is not allowed; give a number > 0 and <= 1"),
        ("share", None, "share: None is not allowed; give a number > 0 and <= 1"),
        ("share", True, "share: True is not allowed; give a number > 0 and <= 1"),
        ("count", 0, "count: 0 is not allowed; give an integer or nothing >= 1"),
        ("count", 1.5, "count: 1.5 is not allowed; give an integer or nothing >= 1"),
        ("side", "left", "side: 'left' is not allowed; give one of up, down"),
        ("side", ["up"], "side: ['up'] is not allowed; give one of up, down"),
        ("flag", 1, "flag: 1 is not allowed; give a boolean"),
    ],
)
def test_a_refusal_says_what_is_allowed(name: str, value: Any, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        checked(ITEMS[name], value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("given", "length", "written"),
    [
        ("28d", timedelta(days=28), "28d"),
        ("4w", timedelta(weeks=4), "28d"),
        ("90m", timedelta(minutes=90), "90min"),
        ("1.5h", timedelta(minutes=90), "90min"),
        ("24h", timedelta(days=1), "1d"),
        (" 15 s ", timedelta(seconds=15), "15s"),
        ("5ms", timedelta(milliseconds=5), "5ms"),
        (timedelta(hours=3), timedelta(hours=3), "3h"),
        (12, 12, 12),
        (np.int64(12), 12, 12),
        ("0d", timedelta(), "0d"),
    ],
)
def test_lengths_are_durations_or_counts(given: Any, length: Any, written: Any) -> None:
    assert parse_length("gap", given) == length
    assert dump_length(length) == written
    assert parse_length("gap", written) == length


@pytest.mark.parametrize(
    "value", [-1, timedelta(-1), "7", "d", "-7d", "7 days", 1.5, True, None, "1e3d", []]
)
def test_what_is_no_length_is_refused(value: Any) -> None:
    with pytest.raises(ParameterError, match="a duration such as"):
        parse_length("gap", value)


def test_ranges_read_as_words() -> None:
    assert describe({"type": ["number", "null"]}) == "a number or nothing"
    assert describe({"enum": ["a", None]}) == "one of a, null"
