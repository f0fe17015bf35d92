"""Cuts a run's row groups into chunks of equal cost.

Row groups stay in their order and whole, so a chunk is a range of series numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from workflows.chunk import Chunk, RowGroups
from workflows.errors import BadRequestError


@dataclass(frozen=True)
class RowGroup:
    """One row group of an input file: ``series`` series with consecutive numbers from ``first``."""

    file: str
    index: int
    first: int
    series: int
    points: int
    seconds: float


def pack(
    groups: Sequence[RowGroup], wanted: int, max_chunks: int, max_points: int
) -> tuple[Chunk, ...]:
    """Cut into ``wanted`` chunks, or as many more as ``max_points`` asks for.

    The most expensive chunk is as cheap as it can be, to within a thousandth.
    """
    if not groups:
        return ()
    wanted = max(1, min(wanted, max_chunks))
    total = sum(group.seconds for group in groups)
    low, high = max(group.seconds for group in groups), total
    low = max(low, total / wanted)
    while high - low > total * 1e-3 / wanted:
        middle = (low + high) / 2
        if len(_cut(groups, middle, max_points)) <= wanted:
            high = middle
        else:
            low = middle
    pieces = _cut(groups, high, max_points)
    if len(pieces) > max_chunks:
        raise BadRequestError(
            f"the run needs {len(pieces)} chunks of at most {max_points:,} points, allowed are "
            f"{max_chunks}: ask for fewer series or a shorter range in several requests",
            "/range",
        )
    return tuple(_chunk(number, piece) for number, piece in enumerate(pieces))


def _cut(
    groups: Sequence[RowGroup], max_seconds: float, max_points: int
) -> list[Sequence[RowGroup]]:
    """Fill one chunk after the other; a group above the limits is a chunk of its own."""
    slack = max_seconds * 1e-9  # sums of floats in another order
    pieces, begin, seconds, points = [], 0, 0.0, 0
    for position, group in enumerate(groups):
        full = seconds + group.seconds > max_seconds + slack or points + group.points > max_points
        if position > begin and full:
            pieces.append(groups[begin:position])
            begin, seconds, points = position, 0.0, 0
        seconds += group.seconds
        points += group.points
    pieces.append(groups[begin:])
    return pieces


def _chunk(number: int, groups: Sequence[RowGroup]) -> Chunk:
    parts = []
    for file, members in groupby(groups, key=lambda group: group.file):
        indices = [group.index for group in members]
        parts.append(RowGroups(file, indices[0], len(indices)))
    return Chunk(
        number=number,
        first=groups[0].first,
        series=sum(group.series for group in groups),
        points=sum(group.points for group in groups),
        seconds=sum(group.seconds for group in groups),
        parts=tuple(parts),
    )
