"""Releases of a product: when a model or a pipeline changed, and whether its past still counts.

A *restarted* baseline ends at the release: points before it judge no point from it on. The points
of each side are judged as a series of their own.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from detectors import Series
from storage.conditions import glob_regex, label_tests
from storage.selector import LabelCondition

MOST_RELEASES = 100  # of one request: the newest


@dataclass(frozen=True)
class Release:
    """One release, as it was known when a run was accepted."""

    name: str
    time_ms: int
    restarted: bool = False
    metrics: tuple[str, ...] = ("*",)  # names or globs
    labels: Mapping[str, LabelCondition] = field(default_factory=dict)
    link: str = ""

    def concerns(self, metric: str, labels: Mapping[str, str]) -> bool:
        """Whether it is a release of what this series measures.

        A label that the series does not have says nothing: a series that joins all versions has no
        version.
        """
        if not any(re.match(glob_regex(glob), metric, re.DOTALL) for glob in self.metrics):
            return False
        tests = (test for test in label_tests(self.labels) if test.name in labels)
        return all(
            (not test.any_of or labels[test.name] in test.any_of)
            and labels[test.name] not in test.none_of
            for test in tests
        )


@dataclass(frozen=True)
class Stretch:
    """The times [begin, end) whose points judge each other."""

    begin: float
    end: float

    def of(self, series: Series) -> Series:
        """The points of a series in it."""
        if self == _ALL_TIME:
            return series
        times = series.epoch_ms
        inside = slice(*np.searchsorted(times, [self.begin, self.end]))
        return Series(series.times[inside], series.values[inside])


_ALL_TIME = Stretch(-math.inf, math.inf)


def restarts(
    releases: Sequence[Release], metric: str, labels: Mapping[str, str]
) -> tuple[int, ...]:
    """When the baseline of a series was restarted, ascending."""
    found = {one.time_ms for one in releases if one.restarted and one.concerns(metric, labels)}
    return tuple(sorted(found))


def stretches(restarted: Sequence[int]) -> Iterator[Stretch]:
    """What lies between restarts, in order; all time without any."""
    marks = [-math.inf, *restarted, math.inf]
    for begin, end in pairwise(marks):
        yield Stretch(begin, end)
