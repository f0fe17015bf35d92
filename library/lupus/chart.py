"""A series with what was expected of it, ready to be looked at."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Optional, Union, overload

from lupus.rows import Row, Rows

if TYPE_CHECKING:
    import pandas as pd

Engine = Literal["matplotlib", "plotly"]
Numbers = Sequence[Optional[float]]


@dataclass(frozen=True)
class Band:
    """What was expected; times in UTC milliseconds, None where nothing was."""

    times_ms: Sequence[int] = ()
    expected: Numbers = ()
    lower: Numbers = ()
    upper: Numbers = ()


@dataclass(frozen=True)
class Chart:
    """One series.

    Parameters
    ----------
    name : str
        As people write it: ``ndcg@10{region="jp"}``.
    times_ms : sequence of int
        UTC milliseconds.
    values : sequence of float
        One for each time.
    band : Band
    anomalies : sequence of mapping
        With ``time_ms``, ``value`` (None where data are missing) and ``severity``.
    """

    name: str
    times_ms: Sequence[int]
    values: Numbers
    band: Band = field(default_factory=Band)
    anomalies: Sequence[Mapping[str, Any]] = ()

    def rows(self) -> Iterator[Row]:
        """Give a row for each time of the series or its band."""
        at = dict(zip(self.times_ms, self.values))
        band = self.band
        expected = dict(zip(band.times_ms, zip(band.expected, band.lower, band.upper)))
        anomalous = {one["time_ms"] for one in self.anomalies}
        for time in sorted(at.keys() | expected.keys() | anomalous):
            middle, lower, upper = expected.get(time, (None, None, None))
            yield {
                "name": self.name,
                "time": utc_text(time),
                "value": at.get(time),
                "expected": middle,
                "lower": lower,
                "upper": upper,
                "is_anomaly": time in anomalous,
            }


class Charts(Sequence[Chart]):
    """Series, each with what was expected of it."""

    def __init__(self, charts: Sequence[Chart]) -> None:
        self._charts = tuple(charts)

    @overload
    def __getitem__(self, at: int) -> Chart: ...
    @overload
    def __getitem__(self, at: slice) -> "Charts": ...
    def __getitem__(self, at: Union[int, slice]) -> Union[Chart, "Charts"]:
        """Give one series, or some."""
        return Charts(self._charts[at]) if isinstance(at, slice) else self._charts[at]

    def __len__(self) -> int:
        return len(self._charts)

    def __repr__(self) -> str:
        lines = [f"{one.name}: {len(one.values):,} points" for one in self._charts[:20]]
        return "\n".join([f"<Charts: {len(self)} series>", *lines])

    def rows(self) -> Rows:
        """Give every point as a row."""
        shown = ("name", "time", "value", "expected", "lower", "upper", "is_anomaly")
        return Rows([row for one in self._charts for row in one.rows()], shown, "point")

    def to_pandas(self) -> "pd.DataFrame":
        """Give every point: name, time, value, expected, lower, upper, is_anomaly."""
        return self.rows().to_pandas()

    def plot(self, engine: Engine = "matplotlib", most: int = 8) -> Any:
        """Draw the series below each other, with bands and anomalies.

        Parameters
        ----------
        engine : {"matplotlib", "plotly"}
            Extras ``plot`` and ``plotly``.
        most : int
            How many series are drawn, the first ones.

        Returns
        -------
        matplotlib.figure.Figure or plotly.graph_objects.Figure
            Notebooks show it; both have ways to write it to a file.

        Raises
        ------
        ExtraError
            Without the package.
        """
        # Whoever draws pays for it.
        from lupus.plot import figure  # noqa: PLC0415

        return figure(self._charts[:most], engine)


def utc_text(time_ms: int) -> str:
    """Give RFC 3339 in UTC, with milliseconds where there are some.

    Examples
    --------
    >>> utc_text(1780272000000)
    '2026-06-01T00:00:00Z'
    """
    import datetime as dt  # noqa: PLC0415  keeps `import lupus` small

    moment = dt.datetime.fromtimestamp(time_ms // 1000, dt.timezone.utc)
    milli = f".{time_ms % 1000:03d}" if time_ms % 1000 else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{milli}Z"
