"""Identity: what a source, a metric, a label and a series are called, and their ids.

Every id is the first 128 bits of SHA-256 over canonical JSON, in hex, so that everything
written anywhere has the same id on every machine and at every retry.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from storage.errors import InvalidError

SOURCE_PATTERN = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
LABEL_NAME_PATTERN = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
METRIC_MAX_LENGTH = 200
_CANONICAL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
_PAIR_TEXT = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
_PAIR = re.compile(_PAIR_TEXT)
_WRITTEN = re.compile(
    rf"(?P<metric>.+?)(?:\{{(?P<labels>{_PAIR_TEXT}(?:,{_PAIR_TEXT})*)\}})?", re.DOTALL
)


def canonical_id(*parts: object) -> str:
    """The id of a tuple of JSON values: 32 hex digits."""
    return hashlib.sha256(_CANONICAL.encode(parts).encode()).hexdigest()[:32]


def check_source(name: str) -> str:
    """Return the name of a source, or say what is allowed."""
    if not SOURCE_PATTERN.fullmatch(name):
        raise InvalidError(
            f"source {name!r} is not a name: allowed are 1 to 63 of a-z 0-9 . _ - "
            "beginning and ending with a letter or digit"
        )
    return name


def check_metric(name: str) -> str:
    """Return the metric's name in NFC, or say what is allowed."""
    name = unicodedata.normalize("NFC", name)
    if not 1 <= len(name) <= METRIC_MAX_LENGTH or not name.isprintable():
        raise InvalidError(
            f"metric {name!r}: allowed are 1 to {METRIC_MAX_LENGTH} printable characters"
        )
    return name


def canonical_labels(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Labels sorted by name, values in NFC, empty values dropped (empty = absent)."""
    pairs = []
    for name, value in labels.items():
        if not LABEL_NAME_PATTERN.fullmatch(name):
            raise InvalidError(
                f"label name {name!r}: allowed are letters, digits and _, not a digit first"
            )
        if "\0" in value or _has_surrogate(value):
            raise InvalidError(
                f"label {name}: a value is Unicode text without NUL and without half characters"
            )
        if value:
            pairs.append((name, unicodedata.normalize("NFC", value)))
    return tuple(sorted(pairs))


def _has_surrogate(value: str) -> bool:
    # No encoding of Unicode can write them, so no store could keep them.
    return not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@dataclass(frozen=True, slots=False)
class SeriesKey:
    """One series: source, metric and labels (sorted by name, none empty)."""

    source: str
    metric: str
    labels: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, source: str, metric: str, labels: Mapping[str, str] | None = None) -> "SeriesKey":
        """Check and normalise what a person wrote."""
        return _checked(source, metric, tuple((labels or {}).items()))

    @classmethod
    def stored(cls, source: str, metric: str, labels: Mapping[str, str]) -> "SeriesKey":
        """Put together what was checked when it was stored."""
        return cls(source, metric, tuple(sorted(labels.items())))

    @cached_property
    def id(self) -> str:
        """32 hex digits, the same on every machine."""
        return _series_id(self.source, self.metric, self.labels)

    def __str__(self) -> str:
        if not self.labels:
            return self.metric
        inside = ",".join(f'{name}="{_escape(value)}"' for name, value in self.labels)
        return f"{self.metric}{{{inside}}}"

    @classmethod
    def parse(cls, source: str, text: str) -> "SeriesKey":
        """Read what ``str`` wrote: ``metric`` or ``metric{name="value",...}``."""
        match = _WRITTEN.fullmatch(text)
        if match is None or match["labels"] is None:
            return cls.of(source, text)
        labels = {name: _unescape(value) for name, value in _PAIR.findall(match["labels"])}
        return cls.of(source, match["metric"], labels)


# An ingest meets a series several times, and the next ingest the same series again.
@lru_cache(maxsize=16_384)
def _checked(source: str, metric: str, labels: tuple[tuple[str, str], ...]) -> SeriesKey:
    return SeriesKey(check_source(source), check_metric(metric), canonical_labels(dict(labels)))


@lru_cache(maxsize=16_384)
def _series_id(source: str, metric: str, labels: tuple[tuple[str, str], ...]) -> str:
    return canonical_id(source, metric, dict(labels))


def _unescape(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], value)


def anomaly_id(source: str, rule: str, series_id: str, ts_ms: int) -> str:
    """The id of the anomaly that ``rule`` may find in a series at one time."""
    return canonical_id(source, rule, series_id, ts_ms)
