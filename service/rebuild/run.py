"""Makes the index of one source, or of all, again."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.database.engine import Database
from service.database.metrics import metrics_of
from service.database.sources import Source, get_source, list_sources
from service.errors import UnknownError
from service.rebuild.points import PointsAgain, days_at_once
from service.rebuild.told import tell_again
from service.rebuild.verdicts import adopt_verdicts, tell_verdicts
from service.rebuild.windows import windows
from storage.source import SourceSpec
from storage.stores import Stores

COUNTS = ("anomalies", "points", "bands", "series", "verdicts", "adopted")
_MONTH_DAYS = 31

# Source, days done, days in all.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Rebuild:
    """One rebuild; ``since_ms`` leaves out days before it, as retention has removed them."""

    database: Database
    stores: Stores
    progress: Progress
    since_ms: int | None = None

    def run(self, only: str | None = None) -> dict[str, dict[str, int]]:
        """Rebuild source by source; returns counts of documents by source and kind."""
        return {source.name: self._source(source) for source in self._sources(only)}

    def _sources(self, only: str | None) -> Sequence[Source]:
        with self.database.read() as tx:
            if only is None:
                # A deleted one keeps its documents until it is purged.
                return list_sources(tx, limit=None, deleted=True)
            found = get_source(tx, only, deleted=True)
        if found is None:
            raise UnknownError(f"source {only} does not exist")
        return [found]

    def _source(self, source: Source) -> dict[str, int]:
        index, name = self.stores.index, source.name
        counts = Counter(dict.fromkeys(COUNTS, 0))
        counts["adopted"] = adopt_verdicts(self.database, index, name)
        points, told = self._days(source)
        total, done = len(points) + len(told), 0
        self.progress(name, done, total)
        again = PointsAgain(self.stores.archive, index, SourceSpec(name, source.timezone))
        for window in windows(points, days_at_once(self._series(name)), self.since_ms):
            counts["points"] += again.window(window)
            done += window.days
            self.progress(name, done, total)
        counts["series"] += again.catalog()
        for window in windows(told, _MONTH_DAYS, self.since_ms):
            counts.update(tell_again(self.stores.archive, index, name, window))
            done += window.days
            self.progress(name, done, total)
        index.refresh()
        counts["verdicts"] = tell_verdicts(self.database, index, name)
        self.progress(name, total, total)
        return dict(counts)

    def _days(self, source: Source) -> tuple[Sequence[str], Sequence[str]]:
        archive = self.stores.archive
        managed = source.kind == "managed"
        points = archive.days("points", source.name) if managed else ()
        return points, archive.days("documents", source.name)

    def _series(self, source: str) -> int:
        with self.database.read() as tx:
            return sum(metric.series for metric in metrics_of(tx, source))
