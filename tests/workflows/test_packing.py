"""Row groups become chunks: all of them, once, in order, within the limits, of equal cost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.errors import BadRequestError
from workflows.packing import RowGroup, pack


def row_groups(seconds: list[float], points: list[int]) -> list[RowGroup]:
    groups, first = [], 0
    for position, (cost, size) in enumerate(zip(seconds, points, strict=True)):
        file, index = divmod(position, 4)
        groups.append(RowGroup(f"file{file}", index, first, 1 + position % 3, size, cost))
        first += 1 + position % 3
    return groups


def cheapest_worst(seconds: list[float], chunks: int) -> float:
    """The most expensive chunk of the best cut, by trying all cuts."""
    best = {(0, 0): 0.0}
    for end in range(1, len(seconds) + 1):
        for used in range(1, chunks + 1):
            candidates = [
                max(best[begin, used - 1], sum(seconds[begin:end]))
                for begin in range(end)
                if (begin, used - 1) in best
            ]
            if candidates:
                best[end, used] = min(candidates)
    return min(worst for (end, _), worst in best.items() if end == len(seconds))


sizes = st.lists(st.tuples(st.floats(0.001, 100.0), st.integers(1, 1000)), min_size=1, max_size=14)


@settings(derandomize=True, deadline=None)
@given(sizes, st.integers(1, 8))
def test_cost_is_spread_as_evenly_as_whole_row_groups_allow(
    sizes: list[tuple[float, int]], wanted: int
) -> None:
    seconds = [cost for cost, _ in sizes]
    chunks = pack(row_groups(seconds, [1] * len(sizes)), wanted, 500, 10**9)
    assert len(chunks) <= wanted
    worst = max(chunk.seconds for chunk in chunks)
    assert worst <= cheapest_worst(seconds, wanted) + 2e-3 * sum(seconds)


@settings(derandomize=True, deadline=None)
@given(sizes, st.integers(1, 8), st.integers(1, 2000))
def test_every_row_group_is_in_one_chunk_and_limits_hold(
    sizes: list[tuple[float, int]], wanted: int, max_points: int
) -> None:
    groups = row_groups([cost for cost, _ in sizes], [size for _, size in sizes])
    chunks = pack(groups, wanted, 500, max_points)
    listed = [
        (part.file, part.first + offset)
        for chunk in chunks
        for part in chunk.parts
        for offset in range(part.count)
    ]
    assert listed == [(group.file, group.index) for group in groups]
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
    first = 0
    for chunk in chunks:
        assert chunk.first == first
        first += chunk.series
        alone = sum(part.count for part in chunk.parts) == 1
        assert chunk.points <= max_points or alone
    assert sum(chunk.points for chunk in chunks) == sum(size for _, size in sizes)


def test_nothing_makes_no_chunk() -> None:
    assert pack([], 5, 500, 100) == ()


def test_what_does_not_fit_into_all_chunks_is_refused_with_advice() -> None:
    with pytest.raises(BadRequestError, match="fewer series") as caught:
        pack(row_groups([1.0] * 10, [10] * 10), 1, 4, 20)
    assert caught.value.pointer == "/range"
    assert len(pack(row_groups([1.0] * 10, [10] * 10), 1, 5, 20)) == 5


def test_five_hundred_chunks_at_most_whatever_is_wanted() -> None:
    assert len(pack(row_groups([1.0] * 2000, [10] * 2000), 900, 500, 10**9)) <= 500
