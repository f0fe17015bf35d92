"""Prometheus' text exposition format, line by line, to points as NDJSON.

Names, labels and values are taken as they stand: a counter keeps its name, a histogram is its
buckets. Left out are NaN, which is no measurement, and the times at which a client made its
counters (``_created``).
"""

import gzip
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from service.api.times import rfc3339
from workflows.ingest_rejection import RowErrors

_COUNTING = ("counter", "histogram", "summary")
_ALLOWED = 'allowed is a line such as loss{model="a"} 0.25'


def points_from_text(
    text: Path, zipped: bool, points: Path, labels: Mapping[str, str], time: str
) -> None:
    """Write the samples of a text as points of this time; ``labels`` win over a sample's own.

    Raises
    ------
    IngestRejectedError
        Names the lines at fault.
    """
    errors = RowErrors()
    reader = _Reader(dict(labels), time, errors)
    open_ = gzip.open if zipped else open
    with open_(text, "rb") as lines, points.open("w", encoding="utf-8") as file:
        for number, line in enumerate(lines):
            for point in reader.read(number, line):
                file.write(point)
    errors.check()


class _Reader:
    def __init__(self, labels: dict[str, str], time: str, errors: RowErrors) -> None:
        self._labels = labels
        self._time = time
        self._errors = errors
        self._created: set[str] = set()

    def read(self, number: int, line: bytes) -> Iterator[str]:
        """The point of a line, if it has one."""
        try:
            text = line.decode().strip()
            if text.startswith("#"):
                self._note_type(text.split())
            elif text:
                yield from self._point(text)
        except (ValueError, KeyError, IndexError) as error:
            self._errors.add([number], "line", f"{error or 'is no sample'}; {_ALLOWED}")

    def _note_type(self, words: list[str]) -> None:
        if len(words) == 4 and words[1] == "TYPE" and words[3] in _COUNTING:
            self._created.add(f"{words[2].removesuffix('_total')}_created")

    def _point(self, text: str) -> Iterator[str]:
        for family in text_string_to_metric_families(text):
            for name, labels, value, timestamp, *_ in family.samples:
                if name in self._created or math.isnan(value):
                    continue
                if math.isinf(value):
                    raise ValueError(f"{name} is {value}: allowed are finite numbers and NaN")
                time = self._time if timestamp is None else rfc3339(round(float(timestamp) * 1000))
                point = {"metric": name, "time": time, "value": value}
                point["labels"] = {**labels, **self._labels}
                yield json.dumps(point, ensure_ascii=False) + "\n"
