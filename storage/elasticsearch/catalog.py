"""The catalog of series in Elasticsearch: read, widen, write exactly what was read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage import cursor as cursors
from storage.elasticsearch import filters
from storage.elasticsearch.bulk import CONFLICT, MISSING, Action, send, wait
from storage.elasticsearch.client import Session
from storage.elasticsearch.names import Names
from storage.elasticsearch.search import Hit, asked, field, hits, stored
from storage.errors import BusyError
from storage.index import MetricSummary, Page, SeriesEntry
from storage.selector import LabelCondition
from storage.series_key import canonical_id

_TURNS = 30
_METRICS_PER_ANSWER = 1_000


@dataclass(frozen=True)
class _Known:
    """An entry, and which entry taught its step: entries without one change nothing."""

    entry: SeriesEntry
    step_sequence: int | None

    @classmethod
    def said(cls, entry: SeriesEntry) -> "_Known":
        return cls(entry, None if entry.step_ms is None else entry.sequence)

    @classmethod
    def of(cls, hit: Hit) -> "_Known":
        return cls(_entry(hit), hit["_source"]["step_sequence"])

    def widened(self, other: "_Known") -> "_Known":
        """Both together; in whatever order they come, the answer is the same."""
        mine, theirs = self.entry, other.entry
        newer = other.step_sequence is not None and other.step_sequence >= (
            -1 if self.step_sequence is None else self.step_sequence
        )
        entry = replace(
            mine,
            step_ms=theirs.step_ms if newer else mine.step_ms,
            first_ms=min(mine.first_ms, theirs.first_ms),
            last_ms=max(mine.last_ms, theirs.last_ms),
            sequence=max(mine.sequence, theirs.sequence),
        )
        return _Known(entry, other.step_sequence if newer else self.step_sequence)


def put(session: Session, names: Names, entries: Iterable[SeriesEntry]) -> None:
    """Widen what is known of each series."""
    waiting: dict[str, _Known] = {}
    for entry in entries:
        id_, said = _id(entry), _Known.said(entry)
        waiting[id_] = waiting[id_].widened(said) if id_ in waiting else said
    for turn in range(_TURNS):
        actions = list(_changes(session, names, waiting))
        refused = {
            action.id for action, status in send(session, actions) if status in (CONFLICT, MISSING)
        }
        waiting = {id_: known for id_, known in waiting.items() if id_ in refused}
        if not waiting:
            return
        wait(min(turn, 4) - 6)  # others write the same series: each turn one of them gets through
    raise BusyError(f"index {session.shown}: {len(waiting)} series change all the time")


def _changes(session: Session, names: Names, waiting: Mapping[str, _Known]) -> Iterable[Action]:
    index = names.index("series")
    found = stored(session, [(index, id_) for id_ in waiting])
    for (id_, said), hit in zip(waiting.items(), found, strict=True):
        if hit is None:
            yield Action("create", index, id_, _body(id_, said))
            continue
        old = _Known.of(hit)
        new = old.widened(said)
        if new != old:
            guard = {"if_seq_no": hit["_seq_no"], "if_primary_term": hit["_primary_term"]}
            yield Action("index", index, id_, _body(id_, new), guard)


def _id(entry: SeriesEntry) -> str:
    return canonical_id(entry.source, entry.metric, entry.series)


def _body(id_: str, known: _Known) -> dict[str, Any]:
    entry = known.entry
    return {
        "id": id_,
        "source": entry.source,
        "series": entry.series,
        "metric": entry.metric,
        "labels": dict(entry.labels),
        "step_ms": entry.step_ms,
        "first": entry.first_ms,
        "last": entry.last_ms,
        "sequence": entry.sequence,
        "step_sequence": known.step_sequence,
    }


def search(
    session: Session,
    names: Names,
    source: str,
    metrics: Sequence[str],
    labels: Mapping[str, LabelCondition],
    limit: int,
    cursor: str | None,
) -> Page[SeriesEntry]:
    """By metric, then series id."""
    query = filters.every([
        *filters.equals(source=source), *filters.metrics(metrics), *filters.labels(labels)
    ])  # fmt: skip
    after = None if cursor is None else cursors.decode("series", cursor)
    sort = [{"metric": "asc"}, {"series": "asc"}]
    alias = names.alias("series")
    found = list(hits(session, alias, query, sort, after=after, limit=limit + 1))
    items = [_entry(hit) for hit in found[:limit]]
    more = len(found) > limit
    return Page(
        items, cursors.encode("series", items[-1].metric, items[-1].series) if more else None
    )


def _entry(hit: Hit) -> SeriesEntry:
    found = hit["_source"]
    return SeriesEntry(
        source=found["source"],
        series=found["series"],
        metric=found["metric"],
        labels=found["labels"],
        step_ms=found["step_ms"],
        first_ms=found["first"],
        last_ms=found["last"],
        sequence=found["sequence"],
    )


def summaries(session: Session, names: Names, source: str) -> dict[str, MetricSummary]:
    """Each metric of a source with its coarsest step, however many there are."""
    found: dict[str, MetricSummary] = {}
    after: Mapping[str, Any] | None = None
    while True:
        answer = asked(session, names.alias("series"), _summary_body(source, after))
        if answer is None:
            return found
        metrics = field(session, answer, "aggregations", "metrics")
        for bucket in metrics["buckets"]:
            found[bucket["key"]["metric"]] = MetricSummary(
                series=bucket["doc_count"],
                step_ms=_whole(bucket["step"]["value"]),
                first_ms=int(bucket["first"]["value"]),
                last_ms=int(bucket["last"]["value"]),
            )
        after = metrics.get("after_key")
        if after is None:
            return found


def _summary_body(source: str, after: Mapping[str, Any] | None) -> dict[str, Any]:
    composite: dict[str, Any] = {
        "size": _METRICS_PER_ANSWER,
        "sources": [{"metric": {"terms": {"field": "metric"}}}],
    }
    if after is not None:
        composite["after"] = after
    return {
        "size": 0,
        "query": filters.every(filters.equals(source=source)),
        "aggs": {
            "metrics": {
                "composite": composite,
                "aggs": {
                    "step": {"max": {"field": "step_ms"}},
                    "first": {"min": {"field": "first"}},
                    "last": {"max": {"field": "last"}},
                },
            }
        },
    }


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
