"""Statistics of numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, TypeVar

import numpy as np

from lupus.errors import StatisticsError
from lupus.statistics.column import Column, Numbers
from lupus.statistics.distinct import Distinct
from lupus.statistics.frequent import Frequent
from lupus.statistics.hashing import number_hashes
from lupus.statistics.kind import COUNTS, Context, Kind, Number, counted, percent
from lupus.statistics.moments import Moments
from lupus.statistics.quantiles import BUCKETS, Quantiles

Array = Any
Part = TypeVar("Part", Quantiles, Frequent)

FIVE = ("min", "p25", "p50", "p75", "max")
REPEATED = 256
LEAST_BUCKETS = 16
_SORTED = ("same_share", "unique")


@dataclass(frozen=True, eq=False)
class NumericState:
    """What was counted of finite numbers, and how many others there were."""

    moments: Moments
    low: float
    high: float
    zeros: int
    nan: int
    infinities: int
    quantiles: Optional[Quantiles] = None
    repeated: Optional[Frequent] = None
    counts_unique: bool = False
    distinct: Optional[Distinct] = None
    histogram: Optional[Array] = None

    def merge(self, other: "NumericState") -> "NumericState":
        """Count both."""
        bins = self.histogram
        quantiles = _both(self.quantiles, other.quantiles)
        distinct = None
        if self.counts_unique and quantiles is not None and not quantiles.exact:
            distinct = self._all().merge(other._all())  # noqa: SLF001  the same class
        return NumericState(
            self.moments.merge(other.moments),
            min(self.low, other.low),
            max(self.high, other.high),
            self.zeros + other.zeros,
            self.nan + other.nan,
            self.infinities + other.infinities,
            quantiles,
            _both(self.repeated, other.repeated),
            self.counts_unique,
            distinct,
            None if bins is None or other.histogram is None else bins + other.histogram,
        )

    @property
    def unique(self) -> Optional[float]:
        """How many different numbers; within Distinct's error where they are many."""
        if self.distinct is not None:
            return round(self.distinct.estimate)
        return None if self.quantiles is None else self.quantiles.unique

    @property
    def same_share(self) -> Optional[float]:
        """Share of the most frequent number; of many different ones, within Frequent's error."""
        if self.quantiles is not None and self.quantiles.exact:
            return float(self.quantiles.counts.max()) / self.moments.count
        share = None if self.repeated is None else self.repeated.top_share(1)
        return None if share is None else max(share, 1 / self.moments.count)

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        parts = {
            "quantiles": None if self.quantiles is None else self.quantiles.to_dict(),
            "repeated": None if self.repeated is None else self.repeated.to_dict(),
            "distinct": None if self.distinct is None else self.distinct.to_text(),
            "histogram": None if self.histogram is None else self.histogram.tolist(),
        }
        return {
            "moments": self.moments.to_list(),
            "range": [self.low, self.high] if self.moments.count else None,
            "zeros": self.zeros,
            "nan": self.nan,
            "infinities": self.infinities,
            "counts_unique": self.counts_unique,
            **{name: part for name, part in parts.items() if part is not None},
        }

    def _all(self) -> Distinct:
        """All different numbers, where exact of the few that are kept."""
        if self.distinct is not None or self.quantiles is None:
            return self.distinct or _distinct(np.empty(0))
        return _distinct(self.quantiles.numbers())

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "NumericState":
        """Read what ``to_dict`` gave."""
        low, high = document["range"] or (np.inf, -np.inf)
        parts: dict[str, Callable[[Any], Any]] = {
            "quantiles": Quantiles.from_dict,
            "repeated": Frequent.from_dict,
            "distinct": Distinct.from_text,
            "histogram": lambda bins: np.array(bins, np.int64),
        }
        return cls(
            Moments.from_list(document["moments"]),
            float(low),
            float(high),
            int(document["zeros"]),
            int(document["nan"]),
            int(document["infinities"]),
            counts_unique=bool(document["counts_unique"]),
            **{name: read(document[name]) for name, read in parts.items() if name in document},
        )


@dataclass(frozen=True, init=False)
class Numeric(Kind):
    """Statistics of a column of numbers or booleans (true is 1); of its finite numbers.

    Parameters
    ----------
    *metrics : str
        Any of count, nulls (no number: null or NaN), present_share, nan, infinities, zeros,
        zero_share, sum, mean, var, std, min, max, p<0-100> such as p99.9, five (min, p25, p50, p75,
        max), skewness, kurtosis, unique, same_share (of the most frequent number), histogram.
        Without any: present_share, mean, std, five.
    edges : sequence of float, optional
        Ascending edges of the histogram's bins, [a, b) and the last [a, b].
    buckets : int
        Different numbers that are kept exactly, and buckets that more of them are put into.

    Raises
    ------
    StatisticsError
        If a metric is none of these.

    Examples
    --------
    >>> Numeric("mean", "p95").metrics
    ('mean', 'p95')
    """

    edges: tuple[float, ...] = ()
    buckets: int = BUCKETS

    name = "numeric"
    form = "numbers"
    types = ("integer", "float", "decimal", "boolean")
    allowed = (
        *COUNTS,
        *("nan", "infinities", "zeros", "zero_share", "sum", "mean", "var", "std", "min", "max"),
        *("p<0-100>", "five", "skewness", "kurtosis", "unique", "same_share", "histogram"),
    )
    default = ("present_share", "mean", "std", "five")

    def __init__(self, *metrics: str, edges: Sequence[float] = (), buckets: int = BUCKETS) -> None:
        chosen = self._chosen(metrics)
        five = {"five": FIVE}
        flat = (one for name in chosen for one in five.get(name, (name,)))
        object.__setattr__(self, "metrics", tuple(dict.fromkeys(flat)))
        object.__setattr__(self, "edges", _edges(edges, "histogram" in chosen))
        object.__setattr__(self, "buckets", _buckets(buckets))

    def scan(self, column: Column) -> tuple[int, NumericState]:
        """Count a column's numbers."""
        assert isinstance(column, Numbers)
        values, nan, infinities = _finite(column.present())
        quantiles = any(percent(name) is not None for name in self.metrics)
        repeated, distinct = (name in self.metrics for name in _SORTED)
        ordered = None
        if quantiles or repeated or distinct:
            ordered = values = _sorted(values, owned=values is not column.values)
        sketch = None if ordered is None else Quantiles.of_sorted(ordered, self.buckets)
        state = NumericState(
            Moments.of(values),
            *_range(values, ordered is not None),
            nan,
            infinities,
            sketch,
            _repeated(ordered) if repeated else None,
            distinct,
            None if sketch is None or sketch.exact or not distinct else _distinct(ordered),
            _histogram(values, self.edges) if self.edges else None,
        )
        return len(column) - len(values) - infinities, state

    def numbers(self, state: NumericState, context: Context) -> Iterator[Number]:
        """Give the metrics of a state."""
        shares = {name: percent(name) for name in self.metrics}
        asked = {name: share for name, share in shares.items() if share is not None}
        found: dict[str, Optional[float]] = {}
        if asked and state.quantiles is not None:
            found = dict(zip(asked, state.quantiles.quantiles(list(asked.values()))))
        for name in self.metrics:
            if name == "histogram":
                yield from self._bins(state)
            elif name in found:
                yield Number(name, found[name])
            elif name in COUNTS:
                yield Number(name, counted(name, context))
            else:
                yield Number(name, _one(name, state))

    def read(self, document: Mapping[str, Any]) -> NumericState:
        """Read a state's ``to_dict``."""
        return NumericState.from_dict(document)

    def options(self) -> dict[str, Any]:
        """Give what was chosen besides the metrics, for JSON."""
        given: dict[str, Any] = {"edges": list(self.edges)} if self.edges else {}
        return given if self.buckets == BUCKETS else {**given, "buckets": self.buckets}

    def _bins(self, state: NumericState) -> Iterator[Number]:
        assert state.histogram is not None
        ends = [*self.edges, np.inf]
        names = [f"[{a:g}, {b:g})" for a, b in zip(self.edges, self.edges[1:])]
        names[-1] = names[-1][:-1] + "]"
        names = [f"< {self.edges[0]:g}", *names, f"> {ends[-2]:g}"]
        total = state.moments.count
        for name, many in zip(names, state.histogram.tolist()):
            yield Number("histogram", many / total if total else None, {"bin": name})


def _one(name: str, state: NumericState) -> Optional[float]:
    moments, count = state.moments, state.moments.count
    if name in ("nan", "infinities", "zeros"):
        return float(getattr(state, name))
    if name == "unique":
        return state.unique
    if not count:
        return None
    if name in ("mean", "std", "skewness", "kurtosis", "sum"):
        value: Optional[float] = getattr(moments, name)
        return value
    if name == "same_share":
        return state.same_share
    return {
        "var": moments.variance,
        "min": state.low,
        "max": state.high,
        "zero_share": state.zeros / count,
    }[name]


def _finite(values: Array) -> tuple[Array, int, int]:
    """Finite numbers, how many are NaN, how many infinite."""
    if values.dtype.kind != "f":
        return values, 0, 0
    finite = np.isfinite(values)
    if finite.all():
        return values, 0, 0
    nan = int(np.count_nonzero(np.isnan(values)))
    kept = values[finite]
    return kept, nan, len(values) - len(kept) - nan


def _range(values: Array, ordered: bool) -> tuple[float, float, int]:
    """Smallest, largest, and how many are zero."""
    if not len(values):
        return np.inf, -np.inf, 0
    if not ordered:
        zeros = len(values) - int(np.count_nonzero(values))
        return float(values.min()) + 0.0, float(values.max()) + 0.0, zeros
    first, end = np.searchsorted(values, 0.0, "left"), np.searchsorted(values, 0.0, "right")
    return float(values[0]) + 0.0, float(values[-1]) + 0.0, int(end - first)


def _sorted(values: Array, owned: bool) -> Array:
    """As float64, ascending; what is a copy already is sorted where it is."""
    if values.dtype != np.float64:
        values, owned = values.astype(np.float64), True
    if not owned:
        return np.sort(values)
    values.sort()
    return values


def _repeated(ordered: Array) -> Frequent:
    """Count the numbers that are there often: each that has more than one row in 256."""
    stride = -(-len(ordered) // REPEATED) or 1
    # A run of a stride's length holds a multiple of the stride.
    found = np.unique(ordered[::stride]) + 0.0
    counts = np.searchsorted(ordered, found, "right") - np.searchsorted(ordered, found, "left")
    often = counts >= stride
    texts = np.array([repr(value) for value in found[often].tolist()], dtype=object)
    cut = stride - 1
    kept = dict(zip(texts.tolist(), (counts[often] - cut).tolist()))
    hashed = Distinct.of(number_hashes(found)) if cut else None
    return Frequent(len(ordered), kept, cut, hashed, REPEATED)


def _histogram(values: Array, edges: Sequence[float]) -> Array:
    """Count below the first edge, in each bin, above the last edge."""
    at = np.array(edges)
    # The last bin holds its upper edge.
    at[-1] = np.nextafter(at[-1], np.inf)
    places = np.searchsorted(at, values, side="right")
    return np.bincount(places, minlength=len(edges) + 1)


def _edges(edges: Sequence[float], asked: bool) -> tuple[float, ...]:
    given = tuple(float(edge) for edge in edges)
    ascending = all(a < b for a, b in zip(given, given[1:]))
    if asked != bool(given) or len(given) == 1 or not ascending or not np.isfinite(given).all():
        raise StatisticsError(
            'a histogram has at least two ascending edges: Numeric("histogram", edges=[0, 10, 20])'
        )
    return given


def _buckets(buckets: int) -> int:
    if isinstance(buckets, bool) or not isinstance(buckets, int) or buckets < LEAST_BUCKETS:
        raise StatisticsError(f"buckets is at least {LEAST_BUCKETS}, not {buckets!r}")
    return buckets


def _distinct(numbers: Array) -> Distinct:
    return Distinct.of(number_hashes(numbers))


def _both(one: Optional[Part], other: Optional[Part]) -> Optional[Part]:
    return None if one is None or other is None else one.merge(other)
