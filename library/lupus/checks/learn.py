"""Learn a schema from a frame that is as it should be."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Optional

from lupus.checks.frame import NULL, families, kind_for
from lupus.checks.of_numbers import Quartiles, Range
from lupus.checks.of_values import Categories, Distribution, Unique
from lupus.checks.rule import Rule
from lupus.checks.rules import Freshness, Present
from lupus.checks.schema import ColumnSchema, RowsRule, Schema
from lupus.drift.samples import edges_of, number_counts
from lupus.errors import ChecksError
from lupus.statistics import Categorical, Statistics
from lupus.statistics.counted import Counted
from lupus.statistics.frequent import Frequent
from lupus.statistics.kind import Kind
from lupus.statistics.numeric import NumericState
from lupus.statistics.spec import seconds
from lupus.statistics.time import TimeState

BINS = 10
MOST_CATEGORIES = 50
_ROWS_PER_CATEGORY = 10
_DAY_SECONDS = 86_400.0


def learn(
    frame: Any,
    columns: Optional[Sequence[str]] = None,
    *,
    categorical: Sequence[str] = (),
    at: Optional[datetime] = None,
) -> Schema:
    """Learn what data are like, with room for what is usual; then review the file.

    Parameters
    ----------
    frame : DataFrame of pandas, Polars or PySpark, or Arrow table
        Rows that are as they should be.
    columns : sequence of str, optional
        Which columns; all by default.
    categorical : sequence of str
        Columns of numbers that are categories.
    at : datetime, optional
        When the frame was fresh (naive is UTC): columns of times are then asked to be so.

    Raises
    ------
    ChecksError
        If the frame has no rows, or a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> schema = learn(pd.DataFrame({"age": [20, 30, 40, 50, 60]}))
    >>> print(schema.check(pd.DataFrame({"age": [20, 30, 40, 50, 600]})).failures[0].said)
    1 of 5 numbers lie outside
    """
    types = families(frame)
    names = list(types) if columns is None else list(columns)
    for name in (*names, *categorical):
        if name not in types:
            raise ChecksError(f"there is no column {name!r}; there are {', '.join(types)}")
    kinds: dict[str, Kind] = {
        name: Categorical("unique")
        if name in categorical
        else kind_for(types[name], {"unique": Unique()})
        for name in names
    }
    summary = Statistics(kinds).compute(frame)
    rows = summary.groups[()].rows if () in summary.groups else 0
    if not rows:
        raise ChecksError("a schema is learned from rows, and there are none")
    learned = {
        name: ColumnSchema(
            "other" if types[name] == NULL else types[name],
            {rule.name: rule for rule in _rules(summary.column(name), types[name], seconds(at))},
        )
        for name in names
    }
    return Schema(learned, RowsRule(rows // 2, rows * 2))


def _rules(counted: Counted, family: str, at: Optional[float]) -> list[Rule]:
    share = 1 - counted.nulls / counted.rows
    deviation = (share * (1 - share) / counted.rows) ** 0.5
    rules: list[Rule] = [Present(at_least=_rounded(max(share - 0.01 - 3 * deviation, 0.0)))]
    state = counted.state
    rows = counted.rows - counted.nulls
    if isinstance(state, NumericState) and state.moments.count:
        return rules + _of_numbers(state)
    if isinstance(state, Frequent) and state.total:
        return rules + _of_categories(state, family, rows)
    if isinstance(state, TimeState) and state.newest is not None and at is not None:
        age = max(at - state.newest / 1e6, 0.0)
        rules.append(Freshness(at_most_seconds=float(round(max(2 * age, _DAY_SECONDS)))))
    return rules


def _of_numbers(state: NumericState) -> list[Rule]:
    assert state.quantiles is not None
    room = (state.high - state.low) / 10 or abs(state.low) / 10 or 1.0
    low = _rounded(state.low - room)
    high = _rounded(state.high + room)
    low = max(low, 0.0) if state.low >= 0 else low
    high = min(high, 0.0) if state.high <= 0 else high
    p25, p50, p75 = (_rounded(one or 0.0) for one in state.quantiles.quantiles([0.25, 0.5, 0.75]))
    edges = sorted({_rounded(edge) for edge in edges_of(state.quantiles, BINS)})
    counts = number_counts(edges, state.quantiles)[1] / state.quantiles.count
    rows = state.moments.count
    rules: list[Rule] = [
        Range(at_least=low, at_most=high, outside=0.001),
        Quartiles(p25=p25, p50=p50, p75=p75),
        Distribution(rows=rows, edges=tuple(edges), shares=tuple(map(_share, counts.tolist()))),
    ]
    unique = state.unique
    if unique is not None and unique * _ROWS_PER_CATEGORY <= rows:
        rules.append(Unique(at_least=int(unique) // 2, at_most=int(unique) * 2))
    return rules


def _of_categories(state: Frequent, family: str, rows: int) -> list[Rule]:
    few = state.unique * _ROWS_PER_CATEGORY <= rows
    rules: list[Rule] = []
    if few and family != "boolean":
        rules.append(Unique(at_least=state.unique // 2, at_most=state.unique * 2))
    if few and state.exact and state.unique <= MOST_CATEGORIES:
        counts = sorted(state.counts().items())  # by name, so that files of two days compare
        shares = {name: _share(count / state.total) for name, count in counts}
        rules.append(Categories(known=tuple(shares), unknown=0.01))
        rules.append(Distribution(rows=state.total, shares=shares))
    return rules


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _share(value: float) -> float:
    return round(value, 6)
