"""Ranking and recommendation: how good the first k of each list are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Optional

import numpy as np

from lupus.errors import EvaluationError, FrameError
from lupus.evaluation.columns import Column, Columns, flattened
from lupus.evaluation.lists import Lists, diversity, lists_of, worth_of
from lupus.evaluation.state import Counts, State
from lupus.evaluation.task import Task, share
from lupus.evaluation.values import MISSING, Floats, Ints, first_bad, names, numbers
from lupus.metric import Metric


class _Lists(Task):
    """What both shapes of ranked lists share."""

    k: Sequence[int]
    gain: str
    without_relevant: str
    items: bool
    catalogue: Optional[int]

    def __post_init__(self) -> None:
        if not self.k or any(k < 1 for k in self.k):
            raise EvaluationError(f"k must be at least 1: {list(self.k)}")
        if self.gain not in ("linear", "exponential"):
            raise EvaluationError(f"gain must be 'linear' or 'exponential', not {self.gain!r}")
        if self.without_relevant not in ("skip", "zero"):
            raise EvaluationError(
                f"without_relevant must be 'skip' or 'zero', not {self.without_relevant!r}"
            )

    def measures(self, state: State) -> Iterator[Metric]:
        """Give the metrics of what was counted."""
        sums = state.sums
        yield Metric("rows", sums["rows"])
        yield Metric("rows.skipped", sums["skipped"])
        yield Metric("queries", sums["queries"])
        yield Metric("queries.without_relevant", sums["without_relevant"])
        for name, value in sums.items():
            if "@" in name and "." not in name:
                yield Metric(name, share(value, sums[f"{name}.of"]))
        if self.items:
            for k in self.k:
                yield from self._of_items(state, k)

    def _state(self, lists: Lists, items: list[str], rows: int, skipped: int) -> State:
        ks = tuple(self.k)
        worth = worth_of(lists, ks, exponential=self.gain == "exponential")
        has = worth.relevant > 0
        used = has if self.without_relevant == "skip" else np.ones_like(has)
        sums = {
            "rows": float(rows),
            "skipped": float(skipped),
            "queries": float(lists.queries),
            "without_relevant": float(np.sum(~has)),
        }
        for name, values in worth.measures.items():
            sums[name], sums[f"{name}.of"] = float(values[used].sum()), float(used.sum())
        counts: dict[str, Counts] = {}
        for k in ks:
            within = lists.within(k)
            if (lists.category != MISSING).any():
                _add_mean(sums, f"diversity@{k}", diversity(lists, k))
            known = within & (lists.popularity > 0)
            if (~np.isnan(lists.popularity)).any():
                _add_mean(sums, f"novelty@{k}", -np.log2(lists.popularity[known]))
            if self.items:
                counts[f"items@{k}"] = _counted(lists.item[within], items)
        if self.items and self.catalogue is None:
            counts["items"] = _counted(lists.item, items)
        return State(sums, counts=counts)

    def _of_items(self, state: State, k: int) -> Iterator[Metric]:
        shown = np.array(list(state.counts.get(f"items@{k}", {}).values()), dtype=np.float64)
        whole = len(state.counts.get("items", {})) if self.catalogue is None else self.catalogue
        yield Metric(f"coverage@{k}", share(len(shown), whole))
        shares = shown / shown.sum() if len(shown) else shown
        entropy = float(-np.dot(shares, np.log2(shares))) + 0.0 if len(shown) else None
        yield Metric(f"entropy@{k}", entropy)
        yield Metric(f"top_share@{k}", float(shares.max()) if len(shown) else None)


@dataclass(frozen=True)
class Ranking(_Lists):
    """One row for each query (such as a user) and item.

    Rows of a query and item are one; so recommendations and clicks may be one below the other.

    Parameters
    ----------
    query, item : str
        Columns of queries and items.
    score : str, optional
        Column of scores, higher is better; missing where the item was not recommended.
    rank : str, optional
        Column of ranks instead, lower is better.
    relevance : str
        Column of relevance, a number from 0 up or a boolean; missing means 0.
    category : str, optional
        Column of the item's category, for diversity.
    popularity : str, optional
        Column of the item's share (0 to 1) of what was used before, for novelty.
    k : sequence of int
        Up to which places lists are judged.
    gain : str
        Of nDCG: ``linear`` (relevance) or ``exponential`` (2^relevance - 1).
    without_relevant : str
        Queries without a relevant item are left out (``skip``) or count as 0 (``zero``).
    items : bool
        Whether items are counted, for coverage and entropy.
    catalogue : int, optional
        Items that could be recommended; by default those that occur.

    Raises
    ------
    EvaluationError
        Unless there is either a score or a rank.

    Examples
    --------
    >>> from lupus.evaluation import evaluate
    >>> rows = {"user": ["a", "a"], "item": ["x", "y"], "score": [0.9, 0.8], "clicked": [0, 1]}
    >>> evaluate(rows, Ranking("user", "item", "score", "clicked", k=[1, 2])).metrics()["mrr@2"]
    0.5
    """

    kind: ClassVar[str] = "ranking"
    query: str
    item: str
    score: Optional[str] = None
    relevance: str = "relevance"
    rank: Optional[str] = None
    category: Optional[str] = None
    popularity: Optional[str] = None
    k: Sequence[int] = (10,)
    gain: str = "linear"
    without_relevant: str = "skip"
    items: bool = True
    catalogue: Optional[int] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.score is None) == (self.rank is None):
            raise EvaluationError("a ranking needs score= or rank=, the name of a column")

    def columns(self) -> list[str]:
        """Columns that it reads."""
        optional = (self.score, self.rank, self.category, self.popularity)
        given = [name for name in optional if name is not None]
        return [self.query, self.item, self.relevance, *given]

    def together(self) -> list[str]:
        """Columns whose equal rows must be counted at once."""
        return [self.query]

    def tally(self, columns: Columns) -> State:
        """Count the lists; rows without query or item are left out."""
        query, _ = names(columns[self.query])
        item, items = _in_order(columns[self.item])
        used = (query != MISSING) & (item != MISSING)
        relevance = _relevance(columns[self.relevance], self.relevance)
        category, popularity = None, None
        if self.category is not None:
            category = _in_order(columns[self.category])[0][used]
        if self.popularity is not None:
            popularity = _shares(columns[self.popularity], self.popularity)[used]
        lists = lists_of(
            np.unique(query[used], return_inverse=True)[1].reshape(-1),
            item[used],
            self._scores(columns)[used],
            relevance[used],
            category,
            popularity,
        )
        return self._state(lists, items, len(used), int(len(used) - used.sum()))

    def _scores(self, columns: Columns) -> Floats:
        if self.score is not None:
            return numbers(columns[self.score], self.score)
        assert self.rank is not None
        return -numbers(columns[self.rank], self.rank)


@dataclass(frozen=True)
class RankedLists(_Lists):
    """One row for each query: a list of recommended items and a list of relevant ones.

    Parameters
    ----------
    recommended : str
        Column of lists of items, the best first; an item that is there again counts once.
    relevant : str
        Column of lists of relevant items.
    gains : str, optional
        Column of lists of their relevance, as long; 1 by default.
    k, gain, without_relevant, items, catalogue
        As of ``Ranking``.

    Examples
    --------
    >>> from lupus.evaluation import evaluate
    >>> rows = {"recommended": [["x", "y"]], "relevant": [["y", "z"]]}
    >>> evaluate(rows, RankedLists(k=[2])).metrics()["recall@2"]
    0.5
    """

    kind: ClassVar[str] = "ranked_lists"
    recommended: str = "recommended"
    relevant: str = "relevant"
    gains: Optional[str] = None
    k: Sequence[int] = (10,)
    gain: str = "linear"
    without_relevant: str = "skip"
    items: bool = True
    catalogue: Optional[int] = None

    def columns(self) -> list[str]:
        """Columns that it reads."""
        return [self.recommended, self.relevant] + ([self.gains] if self.gains else [])

    def tally(self, columns: Columns) -> State:
        """Count the lists; a missing one is empty, a row without both is left out."""
        shown, wanted = columns[self.recommended], columns[self.relevant]
        used = np.array([one is not None or two is not None for one, two in zip(shown, wanted)])
        used = np.flatnonzero(used)
        shown_query, shown_item, place = flattened(shown[used], self.recommended)
        wanted_query, wanted_item, _ = flattened(wanted[used], self.relevant)
        relevance = np.ones(len(wanted_item))
        if self.gains is not None:
            gain_query, gain, _ = flattened(columns[self.gains][used], self.gains)
            if not np.array_equal(gain_query, wanted_query):
                raise FrameError(f"lists of {self.gains!r} and {self.relevant!r} differ in length")
            relevance = _relevance(gain, self.gains)
        item, items = _in_order(np.concatenate([shown_item, wanted_item]))
        lists = lists_of(
            np.concatenate([shown_query, wanted_query]),
            item,
            np.concatenate([-place, np.full(len(wanted_item), np.nan)]),
            np.concatenate([np.zeros(len(shown_item)), relevance]),
            queries=len(used),
        )
        return self._state(lists, items, len(shown), len(shown) - len(used))


def _in_order(column: Column) -> tuple[Ints, list[str]]:
    """Codes in the order of the items: numbers by size, text by code points."""
    codes, items = names(column)
    if column.dtype.kind != "O":
        return codes, items
    order = np.argsort(np.array(items, dtype=object), kind="stable")
    rank = np.empty(len(items) + 1, dtype=np.int64)
    rank[order] = np.arange(len(items))
    rank[MISSING] = MISSING
    return rank[codes], [items[place] for place in order.tolist()]


def _relevance(column: Column, name: str) -> Floats:
    relevance = numbers(column, name)
    odd = first_bad(relevance, (relevance < 0) | np.isinf(relevance))
    if odd is not None:
        raise FrameError(f"column {name!r} must hold relevance from 0 up, not {odd:g}")
    return relevance


def _shares(column: Column, name: str) -> Floats:
    shares = numbers(column, name)
    odd = first_bad(shares, (shares < 0) | (shares > 1))
    if odd is not None:
        raise FrameError(f"column {name!r} must hold shares from 0 to 1, not {odd:g}")
    return shares


def _counted(item: Ints, items: list[str]) -> Counts:
    rows = np.bincount(item, minlength=len(items))
    return {(items[place],): float(rows[place]) for place in np.flatnonzero(rows).tolist()}


def _add_mean(sums: dict[str, float], name: str, values: Floats) -> None:
    sums[name], sums[f"{name}.of"] = float(values.sum()), float(len(values))
