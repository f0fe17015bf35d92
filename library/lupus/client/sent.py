"""What became of what was sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Sent:
    """One call of ``send``.

    Parameters
    ----------
    source : str
        The data source.
    points : int
        How many points were sent.
    ingests : sequence of str
        Ids of what the service made of them; ``detect(after=...)`` takes this object.
    state : str
        ``succeeded``: stored and searchable. ``accepted``: nobody waited. ``dry run``, ``nothing``.
    skipped : sequence of str
        Metrics without a value that were left out.
    replayed : bool
        The same points had been sent before, and are still there: nothing was stored again.
    """

    source: str
    points: int
    ingests: Sequence[str] = ()
    state: str = "succeeded"
    skipped: Sequence[str] = ()
    replayed: bool = False

    def __str__(self) -> str:
        what = f"{self.points:,} point{'s' * (self.points != 1)}"
        left_out = f", {len(self.skipped):,} without a value left out" if self.skipped else ""
        again = ", which were there already" if self.replayed else ""
        return f"{self.source}: {what} {self.state}{again}{left_out}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>"
