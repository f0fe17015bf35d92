"""What a detector said of the series of a table."""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Optional

from detectors import Direction, Reason, Result, Severity
from lupus.chart import Band, Chart, Charts, Engine, utc_text
from lupus.client.found import ANOMALY
from lupus.errors import ExtraError
from lupus.local.series import NamedSeries
from lupus.rows import Row, Rows

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Finding:
    """One series and the detector's answer."""

    series: NamedSeries
    result: Result

    def rows(self, only_anomalies: bool) -> Iterator[Row]:
        """Give a row for each point that was checked."""
        result, name = self.result, self.series.name
        times = result.times.astype("datetime64[ms]").astype(int).tolist()
        for at, time in enumerate(times):
            if only_anomalies and not result.is_anomaly[at]:
                continue
            yield {
                "name": name,
                "metric": self.series.metric,
                "labels": self.series.labels,
                "time": utc_text(time),
                "value": _number(result.values[at]),
                "expected": _number(result.expected[at]),
                "lower": _number(result.lower[at]),
                "upper": _number(result.upper[at]),
                "score": _number(result.score[at]),
                "severity": Severity(int(result.severity[at])).name.lower(),
                "direction": Direction(int(result.direction[at])).name.lower(),
                "reason": Reason(int(result.reason[at])).name.lower(),
                "is_anomaly": bool(result.is_anomaly[at]),
            }

    @property
    def worst(self) -> float:
        """The highest score of an anomaly; 0 without one, 1 for missing data alone."""
        scores = [row["score"] for row in self.rows(only_anomalies=True)]
        return max((1.0 if score is None else score for score in scores), default=0.0)

    @property
    def chart(self) -> Chart:
        """The whole series with the band of what was checked."""
        result, points = self.result, self.series.series
        times = result.times.astype("datetime64[ms]").astype(int).tolist()
        numbers = (
            [_number(one) for one in c] for c in (result.expected, result.lower, result.upper)
        )
        marks = [
            {**row, "time_ms": time}
            for row, time in zip(self.rows(only_anomalies=False), times)
            if row["is_anomaly"]
        ]
        values = [_number(value) for value in points.values]
        band = Band(times, *numbers)
        return Chart(self.series.name, points.epoch_ms.tolist(), values, band, marks)


class Detection:
    """What a detector said of the series of a table, the most anomalous first.

    Parameters
    ----------
    findings : sequence of Finding
    detector : mapping
        The parameters with the defaults that a request to the service would get.
    """

    def __init__(self, findings: Sequence[Finding], detector: Mapping[str, Any]) -> None:
        self._findings = sorted(findings, key=lambda one: (-one.worst, one.series.name))
        self.detector = dict(detector)

    @cached_property
    def anomalies(self) -> Rows:
        """One row for each anomaly, in the columns of the service."""
        return self._rows(only_anomalies=True)

    @property
    def judged(self) -> int:
        """Points that got a verdict."""
        return sum(int(one.result.judged.sum()) for one in self._findings)

    @property
    def charts(self) -> Charts:
        """Every series with its band."""
        return Charts([one.chart for one in self._findings])

    def __len__(self) -> int:
        return len(self._findings)

    def to_pandas(self) -> "pd.DataFrame":
        """Give every point that was checked, anomalous or not."""
        return self._rows(only_anomalies=False).to_pandas()

    def plot(self, engine: Engine = "matplotlib", most: int = 8) -> Any:
        """Draw the most anomalous series; see ``Charts.plot``."""
        return Charts([one.chart for one in self._findings[:most]]).plot(engine, most)

    def __str__(self) -> str:
        checked = sum(len(one.result.times) for one in self._findings)
        noun = "anomaly" if len(self.anomalies) == 1 else "anomalies"
        return (
            f"{len(self.anomalies)} {noun} in {len(self):,} series; {self.judged:,} points judged, "
            f"{checked - self.judged:,} not"
        )

    def __repr__(self) -> str:
        return f"<Detection: {self}>\n{self.anomalies!r}"

    def _repr_html_(self) -> str:
        picture = self._picture() or ""
        return f"<p>{escape(str(self))}</p>{picture}{self.anomalies._repr_html_()}"

    def _picture(self) -> Optional[str]:
        if not self.anomalies:
            return None
        try:
            figure = self.plot(most=1)
        except ExtraError:
            return None
        text = io.StringIO()
        figure.savefig(text, format="svg")
        return text.getvalue()[text.getvalue().index("<svg") :]

    def _rows(self, only_anomalies: bool) -> Rows:
        rows = [row for one in self._findings for row in one.rows(only_anomalies)]
        return Rows(rows, ANOMALY, "anomaly")


def _number(value: Any) -> Optional[float]:
    number = float(value)
    return number if math.isfinite(number) else None
