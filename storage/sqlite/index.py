"""The index in one SQLite file: the embedded implementation of `storage.index`."""

# ruff: noqa: S608 - texts are made of our own column names, values are parameters

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from storage.batches import batches
from storage.cursor import checked_limit
from storage.index import (
    Anomaly,
    AnomalyQuery,
    AnomalyWrite,
    Band,
    ExpiredMonth,
    MetricSummary,
    Page,
    PointsDay,
    SeriesEntry,
    StoredAnomaly,
    Verdict,
    WriteOutcome,
)
from storage.selector import LabelCondition
from storage.sqlite import anomalies, catalog, charts, retention
from storage.sqlite.connection import Connections
from storage.sqlite.schema import KEYS

# So short that another writer of the file waits for milliseconds only.
DOCUMENTS_PER_TRANSACTION = 1_000
# SQLite refuses more than 32,766 parameters in one statement.
SERIES_PER_QUERY = 1_000


class SqliteIndex:
    """Search and charts; safe for many threads and processes."""

    def __init__(self, path: Path) -> None:
        self._connections = Connections(path)

    def refresh(self) -> None:
        """Nothing to do: what a transaction committed is visible at once."""

    def known_anomalies(
        self, source: str, rule: str, series: Sequence[str], start_ms: int, end_ms: int
    ) -> Iterator[StoredAnomaly]:
        """What is stored of a rule for these series in [start, end), found and withdrawn."""
        for some in batches(dict.fromkeys(series), SERIES_PER_QUERY):
            with self._connections.reading() as connection:
                found = anomalies.known(connection, source, rule, some, start_ms, end_ms)
            yield from found

    def write_anomalies(self, writes: Iterable[AnomalyWrite]) -> WriteOutcome:
        """Create or update, guarded; a newer generation wins and is counted."""
        written = total = 0
        # Drawn before a transaction begins, so that a slow producer holds no lock.
        for some in batches(writes, DOCUMENTS_PER_TRANSACTION):
            with self._connections.writing() as connection:
                written += sum(anomalies.write(connection, item) for item in some)
            total += len(some)
        return WriteOutcome(written, total - written)

    def search_anomalies(
        self, query: AnomalyQuery, limit: int, cursor: str | None = None
    ) -> Page[Anomaly]:
        """Newest first: ts desc, then id."""
        with self._connections.reading() as connection:
            return anomalies.search(connection, query, checked_limit(limit), cursor)

    def anomaly(self, id_: str) -> Anomaly | None:
        """One by id."""
        with self._connections.reading() as connection:
            return anomalies.get(connection, id_)

    def set_verdict(
        self, id_: str, verdict: Verdict, comment: str, by: str, at_ms: int
    ) -> Anomaly | None:
        """What people say; survives every run."""
        with self._connections.writing() as connection:
            return anomalies.set_verdict(connection, id_, verdict, comment, by, at_ms)

    def put_points(self, days: Iterable[PointsDay]) -> None:
        """Replace documents of days whose stored sequence is not higher."""
        for some in batches(days, DOCUMENTS_PER_TRANSACTION):
            with self._connections.writing() as connection:
                charts.put_points(connection, some)

    def put_bands(self, bands: Iterable[Band]) -> None:
        """Replace bands whose stored generation is not higher."""
        for some in batches(bands, DOCUMENTS_PER_TRANSACTION):
            with self._connections.writing() as connection:
                charts.put_bands(connection, some)

    def put_series(self, entries: Iterable[SeriesEntry]) -> None:
        """Widen first/last, learn the step; a higher sequence wins."""
        for some in batches(entries, DOCUMENTS_PER_TRANSACTION):
            with self._connections.writing() as connection:
                catalog.put(connection, some)

    def points(
        self, source: str, series: Sequence[str], start_ms: int, end_ms: int
    ) -> Iterator[PointsDay]:
        """Stored days that touch the range, by series then day."""
        if end_ms <= start_ms:
            return
        for some in batches(sorted(set(series)), SERIES_PER_QUERY):
            with self._connections.reading() as connection:
                found = charts.points(connection, source, some, start_ms, end_ms)
            yield from found

    def bands(self, source: str, series: Sequence[str], rule: str | None) -> Iterator[Band]:
        """Stored bands, newest generation last."""
        found: list[Band] = []
        for some in batches(sorted(set(series)), SERIES_PER_QUERY):
            with self._connections.reading() as connection:
                found.extend(charts.bands(connection, source, some, rule))
        found.sort(key=lambda band: (band.generation, band.series, band.rule, band.run))
        return iter(found)

    def series(
        self,
        source: str,
        metrics: tuple[str, ...] = (),
        labels: Mapping[str, LabelCondition] | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> Page[SeriesEntry]:
        """The catalog, ordered by metric then series id."""
        with self._connections.reading() as connection:
            return catalog.search(
                connection, source, metrics, labels or {}, checked_limit(limit), cursor
            )

    def metrics(self, source: str) -> Mapping[str, MetricSummary]:
        """Metric names of a source with their coarsest known step and series count."""
        with self._connections.reading() as connection:
            return catalog.summaries(connection, source)

    def counts(self) -> Mapping[str, int]:
        """Documents by kind: anomalies, points, bands, series."""
        with self._connections.reading() as connection:
            return {
                table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in KEYS
            }

    def purge(self, source: str) -> None:
        """Remove every document of a source."""
        for table, key in KEYS.items():
            removed = DOCUMENTS_PER_TRANSACTION
            while removed == DOCUMENTS_PER_TRANSACTION:
                with self._connections.writing() as connection:
                    removed = connection.execute(
                        f"DELETE FROM {table} WHERE ({key}) IN "
                        f"(SELECT {key} FROM {table} WHERE source = ? LIMIT ?)",
                        (source, DOCUMENTS_PER_TRANSACTION),
                    ).rowcount

    def expire(self, before_ms: int, dry_run: bool = False) -> Sequence[ExpiredMonth]:
        """Remove whole UTC months of anomalies, points and bands that ended by then."""
        with self._connections.reading() as connection:
            months = retention.expired(connection, before_ms)
        for month in () if dry_run else months:
            removed = DOCUMENTS_PER_TRANSACTION
            while removed == DOCUMENTS_PER_TRANSACTION:
                with self._connections.writing() as connection:
                    removed = retention.remove(connection, month, KEYS[month.kind], removed)
        return months

    def close(self) -> None:
        """Close every connection."""
        self._connections.close()
