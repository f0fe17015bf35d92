"""What label conditions and metric globs mean, before any store's own language.

A label the series does not have is the empty value. So ``null`` asks for no such label, ``""``
in a list allows it, ``"!tw"`` lets it pass, and ``"!"`` asks that the label be there.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from storage.errors import InvalidError
from storage.selector import LabelCondition
from storage.series_key import LABEL_NAME_PATTERN

ABSENT = ""


@dataclass(frozen=True)
class LabelTest:
    """One label must be one of ``any_of`` (when there are some) and none of ``none_of``."""

    name: str
    any_of: tuple[str, ...]
    none_of: tuple[str, ...]


def label_tests(conditions: Mapping[str, LabelCondition]) -> tuple[LabelTest, ...]:
    """The conditions in the order of their names, so that SQL texts do not vary."""
    return tuple(_label_test(name, conditions[name]) for name in sorted(conditions))


def _label_test(name: str, condition: LabelCondition) -> LabelTest:
    if not LABEL_NAME_PATTERN.fullmatch(name):
        raise InvalidError(
            f"labels: {name!r} is not a label name: letters, digits and _, not a digit first"
        )
    if condition is None:
        return LabelTest(name, (ABSENT,), ())
    if not condition:
        raise InvalidError(f"labels.{name}: an empty list matches nothing; give values or null")
    values = [unicodedata.normalize("NFC", value) for value in condition]
    excluded = tuple(value[1:] for value in values if value.startswith("!"))
    return LabelTest(name, tuple(v for v in values if not v.startswith("!")), excluded)


def is_glob(metric: str) -> bool:
    """Whether a metric's name is a pattern."""
    return "*" in metric or "?" in metric


def glob_regex(glob: str) -> str:
    """A regular expression, the same for Java's and RE2's engines, that a whole name matches."""
    return "^" + "".join(_glob_letter(letter) for letter in glob) + "$"


def _glob_letter(letter: str) -> str:
    if letter == "*":
        return ".*"
    if letter == "?":
        return "."
    return "\\" + letter if re.fullmatch(r"[\\^$.|+()\[\]{}]", letter) else letter
