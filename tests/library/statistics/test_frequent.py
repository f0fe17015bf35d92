"""Frequent values and how many there are: exact while few, bounded when many."""

from collections import Counter
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lupus.statistics.distinct import Distinct
from lupus.statistics.frequent import Frequent
from lupus.statistics.hashing import hashes, number_hashes
from tests.library.statistics.drawn import SEED, parts

TEXTS = st.lists(st.sampled_from([*"abcdefghij", "", "日本", "a" * 20]), max_size=80)


def counted(texts: list[str], capacity: int) -> Frequent:
    counts = Counter(texts)
    return Frequent.of(counts.keys(), counts.values(), capacity)


@settings(max_examples=60, deadline=None)
@given(TEXTS, SEED)
def test_few_values_of_parts_are_those_of_the_whole(texts: list[str], seed: int) -> None:
    cut = [counted([texts[row] for row in rows], 20) for rows in parts(len(texts), seed)]
    merged = reduce(Frequent.merge, cut)
    assert merged.exact
    assert merged.counts() == Counter(texts)
    assert merged.top(5) == counted(texts, 20).top(5)
    assert merged.unique == len(set(texts))


@settings(max_examples=60, deadline=None)
@given(TEXTS, SEED, st.integers(1, 6))
def test_counts_of_many_values_are_within_the_error(
    texts: list[str], seed: int, capacity: int
) -> None:
    cut = [counted([texts[row] for row in rows], capacity) for rows in parts(len(texts), seed)]
    merged = reduce(Frequent.merge, cut)
    true = Counter(texts)
    found = merged.counts()
    assert len(found) <= capacity
    assert merged.total == len(texts)
    assert merged.error * (capacity + 1) <= len(texts)
    for value, count in true.items():
        if value in found:
            assert count <= found[value] <= count + merged.error
        else:
            assert count <= merged.error
    assert merged.unique == pytest.approx(len(true), abs=1)
    assert merged.exact == (len(true) <= capacity)


def test_one_part_keeps_exact_counts_of_what_it_keeps() -> None:
    many = counted(["a"] * 50 + ["b"] * 20 + [f"x{one}" for one in range(100)], 5)
    assert not many.exact
    assert many.top(2) == [("a", 50), ("b", 20)]
    assert many.share("a") == pytest.approx(50 / 170)
    assert many.top_share(2) == pytest.approx(70 / 170)
    assert many.unique == pytest.approx(102, abs=3)


def test_entropy_is_in_bits() -> None:
    assert counted(list("abcd"), 10).entropy() == 2.0
    assert counted(["a"] * 9, 10).entropy() == 0.0
    assert counted([], 10).entropy() is None
    even = counted([f"x{one}" for one in range(4096)], 100)
    assert even.entropy() == pytest.approx(12, abs=0.1)


@pytest.mark.parametrize("many", [10, 1000, 30_000, 1_000_000])
def test_different_values_are_counted_within_four_standard_errors(many: int) -> None:
    distinct = Distinct.of(number_hashes(np.arange(many, dtype=float)))
    assert distinct.estimate == pytest.approx(many, rel=4 * distinct.relative_error)
    again = Distinct.from_text(distinct.to_text())
    assert np.array_equal(again.registers, distinct.registers)


def test_distinct_values_of_parts_are_those_of_the_whole() -> None:
    texts = [f"user-{one % 700}" for one in range(3000)]
    one, other = Distinct.of(hashes(texts[:900])), Distinct.of(hashes(texts[500:]))
    assert np.array_equal(one.merge(other).registers, Distinct.of(hashes(texts)).registers)


def test_hashes_never_change() -> None:
    """Summaries of other days and machines hold them."""
    found = hashes(["", "a", "lupus", "exactly8", "日本語 and more than eight bytes"])
    assert [format(value, "016x") for value in found.tolist()] == HASHES
    assert hashes(["ab", "ab\0"])[0] != hashes(["ab", "ab\0"])[1]
    assert format(int(number_hashes(np.array([-0.0]))[0]), "x") == "952f14f1e8ddc491"


HASHES = [
    "952f14f1e8ddc491",
    "8cfcc481a56597d8",
    "5d2ac3cd2cb2ea23",
    "cf0e061ee9322a2d",
    "74e86288f3c8dcd6",
]


@pytest.mark.parametrize("capacity", [3, 100])
def test_its_document_reads_back(capacity: int) -> None:
    found = counted(list("aabbbcdde"), capacity)
    again = Frequent.from_dict(found.to_dict())
    assert again.counts() == found.counts()
    assert (again.error, again.unique, again.total) == (found.error, found.unique, found.total)
