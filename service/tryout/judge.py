"""The detector's answer for every series of the file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors import Result, detector_from_dict
from service.tryout.series import NamedSeries


@dataclass(frozen=True)
class Finding:
    """One series and what the detector says of it."""

    series: NamedSeries
    result: Result

    @property
    def anomalies(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Rows of the result that are anomalous."""
        return np.flatnonzero(self.result.is_anomaly)

    @property
    def worst(self) -> float:
        """The highest score of an anomaly; 0 without one, 1 for missing data alone."""
        if not len(self.anomalies):
            return 0.0
        return float(np.nan_to_num(self.result.score[self.anomalies], nan=1.0).max())

    @property
    def not_judged(self) -> int:
        """Rows without a verdict for lack of history or data."""
        return int((~self.result.judged).sum())


def judge(
    found: list[NamedSeries], parameters: Mapping[str, Any], start: np.datetime64 | None
) -> list[Finding]:
    """Run the detector over every series, the most anomalous first."""
    detector = detector_from_dict(dict(parameters))
    results = detector.detect_many([s.series for s in found], start, None)
    findings = [Finding(s, result) for s, result in zip(found, results, strict=True)]
    return sorted(findings, key=lambda f: (-f.worst, f.series.name))
