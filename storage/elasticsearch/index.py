"""The index on Elasticsearch: the production implementation of `storage.index`."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence

from elasticsearch import ApiError, Elasticsearch

from storage.batches import batches
from storage.cursor import checked_limit
from storage.elasticsearch import anomalies, catalog, charts, retention
from storage.elasticsearch.address import address_of
from storage.elasticsearch.bulk import Action, send
from storage.elasticsearch.client import Session
from storage.elasticsearch.errors import is_missing_index
from storage.elasticsearch.filters import equals, every
from storage.elasticsearch.names import KINDS, Kind, Names
from storage.elasticsearch.search import count, hits
from storage.elasticsearch.templates import install
from storage.errors import StorageError
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
from storage.settings import ElasticsearchSettings

DOCUMENTS_PER_BATCH = 1_000
SERIES_PER_QUERY = 1_000


class ElasticsearchIndex:
    """Search and charts; safe for many threads and processes."""

    def __init__(self, url: str, settings: ElasticsearchSettings) -> None:
        self._names = Names(settings.prefix)
        self._settings = settings
        self._connection = Session(address_of(url), settings)
        self._installing = threading.Lock()
        self._installed = False
        try:
            self._install()
        except StorageError as error:
            # A server that is away now may be back when it is asked; a wrong setting stays wrong.
            if not error.transient:
                self.close()
                raise

    @property
    def _session(self) -> Session:
        if not self._installed:
            self._install()
        return self._connection

    def _install(self) -> None:
        with self._installing:
            if not self._installed:
                install(self._connection, self._names, self._settings)
                self._installed = True

    def refresh(self) -> None:
        """Make what was written before visible to searches."""
        self._refresh(*KINDS)

    def _refresh(self, *kinds: Kind) -> None:
        for kind in kinds:
            alias = self._names.alias(kind)
            self._session.ask(lambda client, alias=alias: _refreshed(client, alias))  # type: ignore[misc]

    def known_anomalies(
        self, source: str, rule: str, series: Sequence[str], start_ms: int, end_ms: int
    ) -> Iterator[StoredAnomaly]:
        """What is stored of a rule for these series in [start, end), found and withdrawn."""
        for some in batches(dict.fromkeys(series), SERIES_PER_QUERY):
            yield from anomalies.known(
                self._session, self._names, source, rule, some, start_ms, end_ms
            )

    def write_anomalies(self, writes: Iterable[AnomalyWrite]) -> WriteOutcome:
        """Create or update, guarded; a newer generation wins and is counted."""
        total = superseded = 0
        for some in _different(writes, DOCUMENTS_PER_BATCH):
            superseded += anomalies.write(self._session, self._names, some)
            total += len(some)
        return WriteOutcome(total - superseded, superseded)

    def search_anomalies(
        self, query: AnomalyQuery, limit: int, cursor: str | None = None
    ) -> Page[Anomaly]:
        """Newest first: ts desc, then id."""
        return anomalies.search(self._session, self._names, query, checked_limit(limit), cursor)

    def anomaly(self, id_: str) -> Anomaly | None:
        """One by id."""
        return anomalies.get(self._session, self._names, id_)

    def set_verdict(
        self, id_: str, verdict: Verdict, comment: str, by: str, at_ms: int
    ) -> Anomaly | None:
        """What people say; survives every run."""
        return anomalies.set_verdict(self._session, self._names, id_, verdict, comment, by, at_ms)

    def put_points(self, days: Iterable[PointsDay]) -> None:
        """Replace documents of days whose stored sequence is not higher."""
        self._send(charts.put_day(self._names, day) for day in days)

    def put_bands(self, bands: Iterable[Band]) -> None:
        """Replace bands whose stored generation is not higher."""
        self._send(charts.put_band(self._names, band) for band in bands)

    def _send(self, actions: Iterable[Action]) -> None:
        for _ in send(self._session, actions):
            pass  # a newer document stays: that is no failure

    def put_series(self, entries: Iterable[SeriesEntry]) -> None:
        """Widen first/last, learn the step; a higher sequence wins."""
        for some in batches(entries, DOCUMENTS_PER_BATCH):
            catalog.put(self._session, self._names, some)

    def points(
        self, source: str, series: Sequence[str], start_ms: int, end_ms: int
    ) -> Iterator[PointsDay]:
        """Stored days that touch the range, by series then day."""
        if end_ms <= start_ms:
            return
        for some in batches(sorted(set(series)), SERIES_PER_QUERY):
            yield from charts.points(self._session, self._names, source, some, start_ms, end_ms)

    def bands(self, source: str, series: Sequence[str], rule: str | None) -> Iterator[Band]:
        """Stored bands, newest generation last."""
        found: list[Band] = []
        for some in batches(sorted(set(series)), SERIES_PER_QUERY):
            found.extend(charts.bands(self._session, self._names, source, some, rule))
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
        return catalog.search(
            self._session, self._names, source, metrics, labels or {}, checked_limit(limit), cursor
        )

    def metrics(self, source: str) -> Mapping[str, MetricSummary]:
        """Metric names of a source with their coarsest known step and series count."""
        return catalog.summaries(self._session, self._names, source)

    def counts(self) -> Mapping[str, int]:
        """Documents by kind: anomalies, points, bands, series."""
        return {kind: count(self._session, self._names.alias(kind)) for kind in KINDS}

    def purge(self, source: str) -> None:
        """Remove every document of a source, one by one: other sources share the indices."""
        self._refresh(*KINDS)
        for kind in KINDS:
            self._send(self._removals(kind, source))
        self._refresh(*KINDS)

    def _removals(self, kind: Kind, source: str) -> Iterator[Action]:
        query = every(equals(source=source))
        found = hits(
            *(self._session, self._names.alias(kind), query, [{"id": "asc"}]),
            source=False,
            version=True,
        )
        for hit in found:
            guard = charts.removal_guard(hit) if kind in ("points", "bands") else {}
            yield Action("delete", hit["_index"], hit["_id"], None, guard)

    def expire(self, before_ms: int, dry_run: bool = False) -> Sequence[ExpiredMonth]:
        """Remove whole UTC months of anomalies, points and bands that ended by then."""
        return retention.expire(self._session, self._names, before_ms, dry_run)

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()


def _refreshed(client: Elasticsearch, alias: str) -> None:
    try:
        client.indices.refresh(index=alias)
    except ApiError as error:
        if not is_missing_index(error):
            raise


def _different(writes: Iterable[AnomalyWrite], size: int) -> Iterator[list[AnomalyWrite]]:
    """Batches in which no anomaly comes twice: the second write follows the first."""
    some: dict[str, AnomalyWrite] = {}
    for write in writes:
        if len(some) == size or write.anomaly.id in some:
            yield list(some.values())
            some = {}
        some[write.anomaly.id] = write
    if some:
        yield list(some.values())
