"""Statistics of the lengths of texts and arrays."""

from collections.abc import Iterator

from lupus.statistics.column import Numbers
from lupus.statistics.kind import Context, Number
from lupus.statistics.numeric import Numeric, NumericState

LENGTH = "length.<numeric>"
_BEFORE = "length."


class Lengths:
    """The metrics of a kind that are of lengths: ``empty`` and ``length.<any of Numeric>``."""

    def __init__(self, metrics: tuple[str, ...]) -> None:
        asked = (name[len(_BEFORE) :] for name in metrics if name.startswith(_BEFORE))
        self._kind = Numeric(*(tuple(asked) or ("mean",)))

    def __contains__(self, name: str) -> bool:
        return name == "empty" or name.startswith(_BEFORE)

    def scan(self, lengths: Numbers) -> tuple[int, NumericState]:
        """Count lengths."""
        return self._kind.scan(lengths)

    def numbers(self, name: str, state: NumericState) -> Iterator[Number]:
        """Give a metric."""
        if name == "empty":
            yield Number(name, state.zeros)
            return
        # Lengths of nothing are no lengths: rows without a value are the column's own count.
        context = Context(state.moments.count, 0, None)
        for number in Numeric(name[len(_BEFORE) :]).numbers(state, context):
            yield Number(_BEFORE + number.name, number.value)
