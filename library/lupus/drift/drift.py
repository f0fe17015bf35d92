"""Drift: how far a sample is from a reference, column by column and group by group."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Union

from lupus.drift.samples import Samples, ks, of_categories, of_numbers
from lupus.drift.significance import kolmogorov
from lupus.errors import DriftError
from lupus.evaluation.columns import names_of
from lupus.metric import Metric
from lupus.metrics import Metrics
from lupus.statistics import Categorical, Statistics, Summary
from lupus.statistics.array import ArrayState
from lupus.statistics.counted import Counted
from lupus.statistics.frequent import Frequent
from lupus.statistics.labels import label_value, labels_of
from lupus.statistics.numeric import NumericState

if TYPE_CHECKING:
    import pandas as pd

BINS = 10
MOST_CATEGORIES = 100
By = Union[str, Sequence[str], Mapping[str, str]]


@dataclass(frozen=True)
class Drift:
    """A sample beside its reference.

    Parameters
    ----------
    reference, sample : Summary
        What was counted of both.
    bins : int
        Bins of numbers, each with equally many reference rows.
    categories : int
        Categories that are bins of their own, the most frequent ones of the reference.
    """

    reference: Summary
    sample: Summary
    bins: int = BINS
    categories: int = MOST_CATEGORIES

    def metrics(self) -> Metrics:
        """Give the metrics of all columns and groups."""
        return Metrics(self._metrics())

    def samples(self, column: str, *group: Optional[str]) -> Samples:
        """Give the rows of a column in the same bins, in the group with these values."""
        one = self.reference.column(column, *(group if self.reference.by else ()))
        return self._samples(one, self.sample.column(column, *group), column)

    def to_pandas(self, column: str, *group: Optional[str]) -> "pd.DataFrame":
        """One row a bin: ``bin``, ``reference``, ``sample`` (rows)."""
        import pandas as pd  # noqa: PLC0415  only who asks for a table needs it

        found = self.samples(column, *group)
        return pd.DataFrame(
            {"bin": found.names, "reference": found.reference, "sample": found.sample}
        )

    def __repr__(self) -> str:
        return f"<Drift of {len(self.columns)} columns>\n{self.metrics()}"

    def _repr_html_(self) -> str:
        return self.metrics()._repr_html_()

    @property
    def columns(self) -> list[str]:
        """Columns that have a distribution."""
        return [
            name
            for name in self.reference.kinds
            if name in self.sample.kinds
            and any(
                isinstance(group.columns[name].state, (NumericState, Frequent, ArrayState))
                for group in self.reference.groups.values()
            )
        ]

    def _metrics(self) -> Iterator[Metric]:
        whole = self.reference.groups.get(()) if not self.reference.by else None
        for key, group in sorted(self.sample.groups.items(), key=str):
            labels = {label: label_value(value) for label, value in zip(self.sample.by, key)}
            before = whole or self.reference.groups.get(key)
            yield Metric("rows", float(group.rows), labels)
            yield Metric("reference.rows", float(before.rows) if before else None, labels)
            for name in self.columns if before else ():
                assert before is not None
                one, two = before.columns[name], group.columns[name]
                for metric, value in self._of_column(one, two, name):
                    yield Metric(f"{name}.{metric}", value, labels)
        if self.reference.by:
            new = set(self.sample.groups) - set(self.reference.groups)
            vanished = set(self.reference.groups) - set(self.sample.groups)
            yield Metric("groups.new", float(len(new)))
            yield Metric("groups.vanished", float(len(vanished)))

    def _of_column(
        self, one: Counted, two: Counted, name: str
    ) -> Iterator[tuple[str, Optional[float]]]:
        found = self._samples(one, two, name)
        value, p = found.chi2()
        yield "psi", found.psi()
        yield "js", found.js()
        yield "chi2", value
        yield "chi2_p", p
        yield "log_probability", found.probability()
        numbers = _numbers(one), _numbers(two)
        if numbers[0] is not None and numbers[1] is not None:
            distance, error = ks(numbers[0], numbers[1])
            sizes = numbers[0].count, numbers[1].count
            yield "ks", distance
            yield "ks_p", None if distance is None else kolmogorov(distance, *sizes)
            if error:
                yield "ks_error", error
        else:
            yield from _of_categories(_categories(one), _categories(two))
        if one.rows and two.rows:
            yield "nulls_change", two.nulls / two.rows - one.nulls / one.rows
        else:
            yield "nulls_change", None

    def _samples(self, one: Counted, two: Counted, name: str) -> Samples:
        numbers = _numbers(one), _numbers(two)
        if numbers[0] is not None and numbers[1] is not None:
            return of_numbers(numbers[0], numbers[1], self.bins)
        if numbers[0] is not None or numbers[1] is not None:
            raise DriftError(f"{name} is numeric on one side and not on the other")
        return of_categories(_categories(one), _categories(two), self.categories)


def reference(
    frame: Any,
    columns: Optional[Sequence[str]] = None,
    by: By = (),
    categorical: Sequence[str] = (),
) -> Summary:
    """Count what later samples are compared with; keep it as ``to_json()``.

    Parameters
    ----------
    frame : DataFrame of pandas, Polars or PySpark, or Arrow table
        The rows that are as they should be.
    columns : sequence of str, optional
        Which columns; all by default.
    by : str, sequence of str, or mapping of str to str
        Columns (or labels and their columns) whose values make groups.
    categorical : sequence of str
        Columns of numbers that are categories.

    Examples
    --------
    >>> import pandas as pd
    >>> stored = reference(pd.DataFrame({"age": range(20, 60)})).to_json()
    >>> drift(Summary.from_json(stored), pd.DataFrame({"age": range(20, 60)})).metrics()["age.js"]
    0.0
    """
    labels = labels_of([by] if isinstance(by, str) else by)
    names = names_of(frame) if columns is None else list(columns)
    unknown = [name for name in categorical if name not in names]
    if unknown:
        raise DriftError(f"categorical: there is no column {unknown[0]!r} among {names}")
    wanted: dict[str, Any] = {
        name: Categorical() if name in categorical else None
        for name in names
        if name not in labels.values()
    }
    return Statistics(wanted, by=labels).compute(frame)


def drift(
    before: Any,
    now: Any,
    columns: Optional[Sequence[str]] = None,
    by: By = (),
    bins: int = BINS,
    categories: int = MOST_CATEGORIES,
) -> Drift:
    """Compare a sample with a reference.

    Parameters
    ----------
    before : Summary or DataFrame
        What ``reference`` counted, or the reference's rows.
    now : Summary or DataFrame
        The sample: rows with the reference's columns, or what was counted of them.
    columns, by
        As of ``reference``, where ``before`` is a frame. A sample that is grouped may be compared
        with a reference that is not.
    bins : int
        Bins of numbers, at least 2.
    categories : int
        Categories that are bins of their own.

    Returns
    -------
    Drift
        Its metrics: ``age.psi``, ``age.ks``, ``country.js`` and more.

    Raises
    ------
    DriftError
        If nothing can be compared.

    Examples
    --------
    >>> import pandas as pd
    >>> monday = pd.DataFrame({"age": range(20, 60), "country": ["jp"] * 40})
    >>> tuesday = pd.DataFrame({"age": range(40, 80), "country": ["jp"] * 40})
    >>> drift(monday, tuesday).metrics()["age.ks"]
    0.5
    """
    if bins < 2 or categories < 1:
        raise DriftError(f"bins must be 2 or more and categories 1 or more: {bins}, {categories}")
    one = before if isinstance(before, Summary) else reference(before, columns, by)
    if isinstance(now, Summary):
        two = now
    else:
        labels = one.by or labels_of([by] if isinstance(by, str) else by)
        kinds = {name: kind for name, kind in one.kinds.items() if name not in labels.values()}
        two = Statistics(kinds, by=labels).compute(now)
    if one.by and dict(one.by) != dict(two.by):
        raise DriftError(f"the reference is by {list(one.by)}, the sample by {list(two.by)}")
    found = Drift(one, two, bins, categories)
    if not found.columns:
        raise DriftError("reference and sample have no column in common that has a distribution")
    return found


def _numbers(counted: Counted) -> Any:
    return counted.state.quantiles if isinstance(counted.state, NumericState) else None


def _categories(counted: Counted) -> Frequent:
    state = counted.state.elements if isinstance(counted.state, ArrayState) else counted.state
    return state if isinstance(state, Frequent) else Frequent()


def _of_categories(one: Frequent, two: Frequent) -> Iterator[tuple[str, Optional[float]]]:
    before, now = one.counts(), two.counts()
    for name, rows, others in (("new", now, before), ("vanished", before, now)):
        lost = [count for value, count in rows.items() if value not in others]
        total = sum(rows.values())
        yield name, float(len(lost))
        yield f"{name}_share", sum(lost) / total if total else None
