"""The labelled files of the Numenta Anomaly Benchmark, read from a folder."""

import csv
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detectors import Series
from detectors.series import Floats

ABSENT = "NAB's files are absent; LUPUS_TEST_DATA names the folder that holds nab/"
_NEARBY = Path(__file__).resolve().parents[3] / "shared" / "data"

Times = NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class NabFile:
    """One file in its own order; windows as first and last row, inclusive."""

    name: str
    times: Times
    values: Floats
    windows: Sequence[tuple[int, int]]

    @property
    def series(self) -> Series:
        """The points in time order; of rows with one timestamp the last counts."""
        return Series(self.times, self.values)


def folder() -> Path | None:
    """Where the files are; None without them."""
    found = Path(os.environ.get("LUPUS_TEST_DATA", _NEARBY)) / "nab"
    return found if found.is_dir() else None


def read_files(place: Path) -> list[NabFile]:
    """All labelled files, by name."""
    labelled = json.loads((place / "combined_windows.json").read_text())
    return [_read(place, name, labelled[name]) for name in sorted(labelled)]


def recorded_flags(place: Path) -> dict[str, list[int]]:
    """Rows that Twitter's package flagged, by file."""
    flags: dict[str, list[int]] = json.loads((place / "twitter_advec_flags.json").read_text())
    return flags


def profiles(place: Path) -> dict[str, dict[str, float]]:
    """Weights of true positives, false negatives and false positives, by profile."""
    given = json.loads((place / "profiles.json").read_text())
    return {name: profile["CostMatrix"] for name, profile in given.items()}


def _read(place: Path, name: str, labelled: list[list[str]]) -> NabFile:
    with (place / "data" / name).open() as file:
        rows = list(csv.DictReader(file))
    times = np.array([row["timestamp"] for row in rows], "datetime64[ms]")
    values = np.array([float(row["value"]) for row in rows])
    windows = []
    for first, last in labelled:
        inside = (times >= np.datetime64(first, "ms")) & (times <= np.datetime64(last, "ms"))
        rows_inside = np.flatnonzero(inside)
        windows.append((int(rows_inside[0]), int(rows_inside[-1])))
    return NabFile(name, times, values, sorted(windows))
