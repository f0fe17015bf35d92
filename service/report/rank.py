"""Which series is the worst: anomalies of a rule, series by series."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from service.notifications.events import rank
from storage.index import Anomaly
from storage.series_key import SeriesKey

# Verdicts that say: this needs nobody any more.
_SETTLED = ("expected", "false")


@dataclass
class RankedSeries:
    """One series with everything that a rule says of it in the run's range."""

    id: str
    metric: str
    labels: Mapping[str, str]
    anomalies: list[Anomaly] = field(default_factory=list)  # newest first, withdrawn ones too

    @property
    def name(self) -> str:
        """As written: metric{labels}."""
        return str(SeriesKey.stored("", self.metric, self.labels))

    @cached_property
    def found(self) -> list[Anomaly]:
        """What stands."""
        return [anomaly for anomaly in self.anomalies if anomaly.status == "found"]

    @cached_property
    def worst(self) -> Anomaly:
        """The worst that stands, else the worst that stood."""
        return max(self.found or self.anomalies, key=badness)

    @property
    def settled(self) -> bool:
        """Whether people have said of all that stands that it is expected, or false."""
        return all(anomaly.verdict in _SETTLED for anomaly in self.found)


@dataclass(frozen=True)
class Ranking:
    """Series with anomalies, the worst first; ``complete`` when none was left unread."""

    series: Sequence[RankedSeries] = ()
    severities: Mapping[str, int] = field(default_factory=dict)  # of what stands
    withdrawn: int = 0
    complete: bool = True

    @cached_property
    def standing(self) -> Sequence[RankedSeries]:
        """Series of which something stands."""
        return [one for one in self.series if one.found]

    @property
    def found(self) -> int:
        """Anomalies that stand."""
        return sum(self.severities.values())


def badness(anomaly: Anomaly) -> tuple[int, float, int]:
    """Orders anomalies: severity, then score, then how new they are."""
    return rank(anomaly.severity), anomaly.score or 0.0, anomaly.ts_ms


def rank_series(anomalies: Iterable[Anomaly], complete: bool = True) -> Ranking:
    """Group by series; what stands comes before what people settled, and that before the rest."""
    by_series: dict[str, RankedSeries] = {}
    severities: Counter[str] = Counter()
    withdrawn = 0
    for anomaly in anomalies:
        if anomaly.series not in by_series:
            by_series[anomaly.series] = RankedSeries(anomaly.series, anomaly.metric, anomaly.labels)
        by_series[anomaly.series].anomalies.append(anomaly)
        if anomaly.status == "found":
            severities[anomaly.severity] += 1
        else:
            withdrawn += 1
    for one in by_series.values():
        one.anomalies.sort(key=lambda anomaly: anomaly.ts_ms, reverse=True)
    ranked = sorted(by_series.values(), key=_order)
    return Ranking(ranked, severities, withdrawn, complete)


def _order(one: RankedSeries) -> tuple[bool, bool, int, float, int, str]:
    severity, score, ts_ms = badness(one.worst)
    return not one.found, one.settled, -severity, -score, -ts_ms, one.name
