"""Evaluation of a PySpark frame: partitions are counted where they are, only states travel."""

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from lupus import errors
from lupus.errors import EvaluationError, FrameError
from lupus.evaluation.columns import Columns, columns_of
from lupus.evaluation.groups import Group, group_codes, groups_of
from lupus.evaluation.state import State
from lupus.evaluation.task import Task
from lupus.evaluation.values import names

if TYPE_CHECKING:
    import pandas as pd

ROWS_AT_ONCE = 100_000
BUCKETS = 64
_SCHEMA = "bucket int, group string, state binary"


def states_of_spark(
    frame: Any, task: Task, by: Sequence[str], most_groups: int
) -> dict[Group, State]:
    """Count every group's rows.

    Partitions are counted batch by batch; states of a group are merged in up to 64 buckets of
    partitions, then those of the buckets: one row for each group reaches the driver. Rows that a
    task counts together are brought into one partition first, in order.
    """
    read = list(dict.fromkeys([*by, *task.columns()]))
    missing = [name for name in read if name not in frame.columns]
    if missing:
        raise FrameError(
            f"the frame has no column {', '.join(map(repr, missing))}; "
            f"it has {', '.join(map(repr, frame.columns))}"
        )
    chosen = frame.select(*map(_quoted, read))
    together = task.together()
    if together:
        keys = list(map(_quoted, dict.fromkeys([*by, *together])))
        chosen = chosen.repartition(*keys).sortWithinPartitions(*keys)
    counted = chosen.mapInPandas(_Partition(task, tuple(by), most_groups), _SCHEMA)
    counted = counted.groupBy("bucket", "group").applyInPandas(_merged, _SCHEMA)
    counted = counted.groupBy("group").applyInPandas(_merged, _SCHEMA)
    rows = _collected(counted.limit(most_groups + 1))
    if len(rows) > most_groups:
        raise EvaluationError(f"{' x '.join(by)} make more than most_groups={most_groups} groups")
    return {tuple(json.loads(row["group"])): _unpacked(row["state"]) for row in rows}


def _collected(frame: Any) -> list[Any]:
    """Collect rows; what a partition refused is said as if it had been here."""
    try:
        rows: list[Any] = frame.collect()
    except Exception as error:
        found = re.search(r"lupus\.errors\.(\w+): ([^\n]+)", str(error))
        kind = getattr(errors, found[1], None) if found else None
        if found is None or kind is None:
            raise
        raise kind(found[2]) from error
    return rows


def _quoted(name: str) -> str:
    """Let a name with dots be a column's."""
    return "`" + name.replace("`", "``") + "`"


class _Partition:
    """Counts one partition: batches come in, one row a group goes out."""

    def __init__(self, task: Task, by: tuple[str, ...], most_groups: int) -> None:
        self.task = task
        self.by = by
        self.most_groups = most_groups
        self.rows_at_once = ROWS_AT_ONCE

    def __call__(self, batches: "Iterator[pd.DataFrame]") -> "Iterator[pd.DataFrame]":
        import pandas as pd  # noqa: PLC0415  on the executor
        from pyspark import TaskContext  # noqa: PLC0415

        context = TaskContext.get()
        bucket = (context.partitionId() if context else 0) % BUCKETS
        states: dict[Group, State] = {}
        for columns in self._blocks(batches):
            for group, rows in groups_of(columns, self.by, self.most_groups):
                state = self.task.tally(rows)
                states[group] = states[group].merge(state) if group in states else state
        for group, state in states.items():
            yield pd.DataFrame(
                {"bucket": [bucket], "group": [json.dumps(group)], "state": [_packed(state)]}
            )

    def _blocks(self, batches: "Iterable[pd.DataFrame]") -> Iterator[Columns]:
        """Give rows in larger blocks that end where rows to be counted together end."""
        import pandas as pd  # noqa: PLC0415

        together = list(dict.fromkeys([*self.by, *self.task.together()]))
        together = together if self.task.together() else []
        read = list(dict.fromkeys([*self.by, *self.task.columns()]))
        held: list[pd.DataFrame] = []
        for batch in batches:
            held.append(batch)
            if sum(map(len, held)) < self.rows_at_once:
                continue
            block = pd.concat(held, ignore_index=True)
            columns = columns_of(block, read)
            end = _last_change(columns, together) if together else len(block)
            if end:
                yield {name: column[:end] for name, column in columns.items()}
            held = [block.iloc[end:]] if end < len(block) else []
        if held:
            yield columns_of(pd.concat(held, ignore_index=True), read)


def _last_change(columns: Columns, keys: list[str]) -> int:
    codes, _ = group_codes([names(columns[name]) for name in keys])
    changes = np.flatnonzero(codes[1:] != codes[:-1])
    return int(changes[-1]) + 1 if len(changes) else 0


def _merged(states: "pd.DataFrame") -> "pd.DataFrame":
    first = states.iloc[:1].copy()
    first["state"] = [_packed(reduce(State.merge, map(_unpacked, states["state"])))]
    return first


def _packed(state: State) -> bytes:
    return zlib.compress(json.dumps(state.to_dict()).encode(), 1)


def _unpacked(packed: bytes) -> State:
    return State.from_dict(json.loads(zlib.decompress(packed)))
