"""Anomalies in Elasticsearch: guarded writes, search, verdicts.

Detection creates whole documents and afterwards updates its own fields of exactly the version it
saw (``if_seq_no``); people's fields change by partial updates of their own. So neither writes the
other's, whoever comes first.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from storage import cursor as cursors
from storage.elasticsearch import filters
from storage.elasticsearch.bulk import CONFLICT, MISSING, Action, send, wait
from storage.elasticsearch.client import Session
from storage.elasticsearch.names import Names
from storage.elasticsearch.search import Hit, hits, stored
from storage.errors import BusyError, CorruptError, InvalidError
from storage.index import Anomaly, AnomalyQuery, AnomalyWrite, Page, StoredAnomaly

SEVERITY_RANK = {"warning": 1, "major": 2, "critical": 3}

_TURNS = 10
_PEOPLE = ("verdict", "comment", "verdict_by", "verdict_at_ms")
# Fields by their name in a document.
_NAME = {
    "ts_ms": "@timestamp",
    "episode_start_ms": "episode_start",
    "written_at_ms": "written_at",
    "verdict_at_ms": "verdict_at",
}
_FIELDS = {each.name: _NAME.get(each.name, each.name) for each in dataclasses.fields(Anomaly)}
_NOBODY = {"verdict": "none", "comment": "", "verdict_by": "", "verdict_at": None}


def write(session: Session, names: Names, writes: Sequence[AnomalyWrite]) -> int:
    """Write documents with different ids; returns how many newer runs had superseded."""
    waiting: dict[str, Action] = {}
    superseded = 0
    anomalies = {item.anomaly.id: item.anomaly for item in writes}
    for item in writes:
        version = None if item.version is None else _Version.read(item.version)
        if version is not None and version.generation > item.anomaly.generation:
            superseded += 1
        else:
            waiting[item.anomaly.id] = _action(names, item.anomaly, version)
    for turn in range(_TURNS):
        refused = [
            action.id
            for action, status in send(session, waiting.values())
            if status in (CONFLICT, MISSING)
        ]
        if not refused:
            return superseded
        if turn:  # somebody answers or writes the same ones right now
            wait(turn - 4)
        waiting, lost = _read_again(session, names, [anomalies[id_] for id_ in refused])
        superseded += lost
    if not waiting:
        return superseded
    raise BusyError(f"index {session.shown}: {len(waiting)} anomalies change all the time")


def _read_again(
    session: Session, names: Names, refused: Sequence[Anomaly]
) -> tuple[dict[str, Action], int]:
    """What to do after conflicts, and how many are superseded."""
    places = [(names.index("anomalies", each.ts_ms), each.id) for each in refused]
    waiting, superseded = {}, 0
    for anomaly, hit in zip(refused, stored(session, places), strict=True):
        version = None if hit is None else _Version.of(hit)
        if version is None or version.generation < anomaly.generation:
            waiting[anomaly.id] = _action(names, anomaly, version)
        elif version.generation > anomaly.generation:
            superseded += 1
        # Of my own generation: an earlier attempt of mine wrote it, and nothing is left to do.
    return waiting, superseded


@dataclasses.dataclass(frozen=True)
class _Version:
    """What guards an update. The generation is part of it: an old run may have read the document
    of a newer one, and the sequence number alone would let it through."""

    seq_no: int
    primary_term: int
    generation: int
    changed: bool = False  # it has a change, which an update to none must take out

    @classmethod
    def of(cls, hit: Hit) -> "_Version":
        source = hit["_source"]
        changed = bool(source.get("change"))
        return cls(hit["_seq_no"], hit["_primary_term"], int(source["generation"]), changed)

    @classmethod
    def read(cls, text: str) -> "_Version":
        try:
            # Those that an earlier version wrote down have three parts.
            seq_no, primary_term, generation, *changed = map(int, text.split("."))
        except ValueError:
            raise InvalidError(f"version {text!r} is not one that this index gave") from None
        return cls(seq_no, primary_term, generation, changed == [1])

    def __str__(self) -> str:
        return f"{self.seq_no}.{self.primary_term}.{self.generation}.{int(self.changed)}"


def _action(names: Names, anomaly: Anomaly, version: _Version | None) -> Action:
    index, fields = names.index("anomalies", anomaly.ts_ms), _detection(anomaly)
    if version is None:
        return Action("create", index, anomaly.id, {**fields, **_NOBODY})
    if version.changed:
        fields.setdefault("change", None)
    guard = {"if_seq_no": version.seq_no, "if_primary_term": version.primary_term}
    return Action("update", index, anomaly.id, {"doc": fields}, guard)


def _detection(anomaly: Anomaly) -> dict[str, Any]:
    fields = {
        name: _finite(getattr(anomaly, field))
        for field, name in _FIELDS.items()
        if field not in (*_PEOPLE, "change")
    }
    if anomaly.change is not None:
        # A list is replaced; an object would be merged into the one that is there.
        fields["change"] = [dict(anomaly.change)]
    return {
        **fields,
        "labels": dict(anomaly.labels),
        "severity_rank": SEVERITY_RANK[anomaly.severity],
    }


def _finite(value: Any) -> Any:
    # No store and no JSON answer can hold NaN or infinity: they are null everywhere.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def known(
    session: Session, names: Names, source: str, rule: str, series: Sequence[str],
    start_ms: int, end_ms: int,
) -> Iterator[StoredAnomaly]:  # fmt: skip
    """What is stored of a rule for these series, by series and time."""
    query = filters.every([
        *filters.equals(source=source, rule=rule),
        filters.one_of("series", series),
        *filters.between(start_ms, end_ms),
    ])  # fmt: skip
    sort = [{"series": "asc"}, {"@timestamp": "asc"}]
    for hit in hits(session, names.alias("anomalies"), query, sort, seq_no_primary_term=True):
        yield StoredAnomaly(_document(session, hit), str(_Version.of(hit)))


def search(
    session: Session, names: Names, query: AnomalyQuery, limit: int, cursor: str | None
) -> Page[Anomaly]:
    """Newest first, then by id."""
    after = None if cursor is None else cursors.decode("anomalies", cursor)
    sort = [{"@timestamp": "desc"}, {"id": "asc"}]
    alias = names.alias("anomalies")
    found = list(hits(session, alias, _query(query), sort, after=after, limit=limit + 1))
    items = [_document(session, hit) for hit in found[:limit]]
    more = len(found) > limit
    return Page(items, cursors.encode("anomalies", items[-1].ts_ms, items[-1].id) if more else None)


def _query(query: AnomalyQuery) -> filters.Query:
    fields = ("source", "rule", "series", "status", "verdict", "run")
    parts = [
        *filters.equals(**{name: getattr(query, name) for name in fields}),
        *filters.metrics(query.metrics),
        *filters.labels(query.labels),
        *filters.between(query.start_ms, query.end_ms),
    ]
    if query.sources is not None:
        parts.append(filters.one_of("source", query.sources))
    if query.min_severity is not None:
        least = SEVERITY_RANK[query.min_severity]
        parts.append({"range": {"severity_rank": {"gte": least}}})
    return filters.every(parts)


def get(session: Session, names: Names, id_: str) -> Anomaly | None:
    """One by id, as it is this moment, once a search can find it."""
    index = _index_of(session, names, id_)
    if index is None:
        return None
    (hit,) = stored(session, [(index, id_)])
    return None if hit is None else _document(session, hit)


def set_verdict(
    session: Session, names: Names, id_: str, *people: str | int
) -> Anomaly | None:  # fmt: skip
    """Write people's fields (in the order of the document) and nothing else."""
    index = _index_of(session, names, id_)
    if index is None:
        return None
    fields = {_FIELDS[name]: value for name, value in zip(_PEOPLE, people, strict=True)}
    hit = session.ask(lambda client: _update(client, index, id_, fields))
    return None if hit is None else _document(session, hit)


def _update(client: Elasticsearch, index: str, id_: str, fields: Mapping[str, Any]) -> Hit | None:
    try:
        # A person who answers looks at the list next: one refresh for one click.
        answer = client.update(
            index=index, id=id_, doc=fields, retry_on_conflict=_TURNS, refresh=True, source=True
        )
    except NotFoundError:
        return None
    return {"_source": answer["get"]["_source"]}


def _index_of(session: Session, names: Names, id_: str) -> str | None:
    """Where a document is: its month is part of no id."""
    query, sort = filters.every(filters.equals(id=id_)), [{"id": "asc"}]
    found = hits(session, names.alias("anomalies"), query, sort, limit=1, source=False)
    return next((str(hit["_index"]) for hit in found), None)


def _document(session: Session, hit: Hit) -> Anomaly:
    source = hit["_source"]
    try:
        fields = {field: source[name] for field, name in _FIELDS.items() if field != "change"}
        change = source.get("change")
        return Anomaly(**fields, change=change[0] if isinstance(change, list) else change)
    except KeyError as error:
        raise CorruptError(f"index {session.shown}: an anomaly has no {error}") from None
