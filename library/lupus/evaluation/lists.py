"""Ranked lists as flat arrays, and what they are worth up to place k."""

from dataclasses import dataclass
from typing import Optional

import numpy as np
from numpy.typing import NDArray

from lupus.evaluation.values import MISSING, Floats, Ints


@dataclass(frozen=True)
class Lists:
    """Rows of all queries, each query's together and in the order of its list.

    Parameters
    ----------
    queries : int
        How many there are.
    query, item : ndarray, shape (n,)
        Places in lists of queries and of items.
    place : ndarray, shape (n,)
        Place in the query's list from 0; rows that were not recommended come behind all others.
    recommended : ndarray of bool, shape (n,)
        Whether the item is in the list.
    relevance : ndarray, shape (n,)
        0 where the item is not relevant.
    category : ndarray, shape (n,)
        Place in a list of categories, -1 where there is none.
    popularity : ndarray, shape (n,)
        Share from 0 to 1, NaN where there is none.
    """

    queries: int
    query: Ints
    item: Ints
    place: Ints
    recommended: NDArray[np.bool_]
    relevance: Floats
    category: Ints
    popularity: Floats

    def within(self, k: int) -> NDArray[np.bool_]:
        """Whether a row is among the first k of its list."""
        return self.recommended & (self.place < k)


def lists_of(
    query: Ints,
    item: Ints,
    score: Floats,
    relevance: Floats,
    category: Optional[Ints] = None,
    popularity: Optional[Floats] = None,
    queries: Optional[int] = None,
) -> Lists:
    """Order rows by falling score, then by rising item; a row without a score is not in the list.

    Rows of one query and item are one: with the highest score, relevance, and category. There may
    be more ``queries`` than have rows.
    """
    category = np.full(len(query), MISSING) if category is None else category
    popularity = np.full(len(query), np.nan) if popularity is None else popularity
    same = np.lexsort((item, query))
    query, item = query[same], item[same]
    starts = np.flatnonzero(
        np.concatenate([[True], (query[1:] != query[:-1]) | (item[1:] != item[:-1])])[: len(query)]
    )
    if len(starts):
        score = np.fmax.reduceat(score[same], starts)
        relevance = np.fmax.reduceat(relevance[same], starts)
        category = np.maximum.reduceat(category[same], starts)
        popularity = np.fmax.reduceat(popularity[same], starts)
    query, item = query[starts], item[starts]
    order = np.lexsort((item, -score, query))  # NaN comes last
    query, score = query[order], score[order]
    return Lists(
        queries=int(query.max(initial=-1)) + 1 if queries is None else queries,
        query=query,
        item=item[order],
        place=_places(query),
        recommended=~np.isnan(score),
        relevance=np.nan_to_num(relevance[order]),
        category=category[order],
        popularity=popularity[order],
    )


@dataclass(frozen=True)
class Worth:
    """What each query's list is worth, and how many items are relevant to it."""

    relevant: Floats
    measures: dict[str, Floats]


def worth_of(lists: Lists, ks: tuple[int, ...], exponential: bool) -> Worth:
    """Measure each query's list up to each k."""
    hit = lists.recommended & (lists.relevance > 0)
    gain = np.exp2(lists.relevance) - 1 if exponential else lists.relevance
    order = np.lexsort((-lists.relevance, lists.query))
    relevant = _by_query(lists, lists.relevance > 0)
    found = np.cumsum(hit)
    before = np.concatenate([[0], found])[np.searchsorted(lists.query, lists.query)]
    found_here = found - before
    discount = np.log2(lists.place + 2.0)
    measures: dict[str, Floats] = {}
    for k in ks:
        within = lists.within(k)
        hits = _by_query(lists, hit & within)
        dcg = _by_query(lists, within, gain / discount)
        ideal = _by_query(lists, lists.place < k, gain[order] / discount)
        precision = _by_query(lists, hit & within, found_here / (lists.place + 1.0))
        first = _by_query(lists, hit & within & (found_here == 1), 1 / (lists.place + 1.0))
        ndcg = "ndcg_exp" if exponential else "ndcg"
        measures[f"{ndcg}@{k}"] = _quotient(dcg, ideal)
        measures[f"precision@{k}"] = hits / k
        measures[f"recall@{k}"] = _quotient(hits, relevant)
        measures[f"map@{k}"] = _quotient(precision, relevant)
        measures[f"mrr@{k}"] = first
        measures[f"hit_rate@{k}"] = (hits > 0).astype(np.float64)
    return Worth(relevant, measures)


def diversity(lists: Lists, k: int) -> Floats:
    """Share of pairs of different categories among the first k; of queries that have a pair."""
    chosen = lists.within(k) & (lists.category != MISSING)
    query, category = lists.query[chosen], lists.category[chosen]
    width = int(category.max()) + 1 if len(category) else 1
    pair, rows = np.unique(query * width + category, return_counts=True)
    alike = np.bincount(pair // width, weights=rows * (rows - 1.0), minlength=lists.queries)
    every = np.bincount(query, minlength=lists.queries).astype(np.float64)
    pairs = every * (every - 1)
    return 1 - alike[pairs > 0] / pairs[pairs > 0]


def _by_query(lists: Lists, rows: NDArray[np.bool_], of: Optional[Floats] = None) -> Floats:
    weights = rows.astype(np.float64) if of is None else np.where(rows, of, 0.0)
    sums = np.bincount(lists.query, weights=weights, minlength=lists.queries)
    return sums.astype(np.float64)  # of no rows it gives integers


def _places(query: Ints) -> Ints:
    return np.arange(len(query)) - np.searchsorted(query, query)


def _quotient(part: Floats, whole: Floats) -> Floats:
    quotient: Floats = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return quotient
