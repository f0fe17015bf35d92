"""Pages of a search: sorted, complete or an error, never a part of the shards."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from elasticsearch import ApiError, Elasticsearch

from storage.elasticsearch.client import Session
from storage.elasticsearch.errors import is_missing_index, of_document
from storage.errors import CorruptError

Hit = Mapping[str, Any]
Sort = Sequence[Mapping[str, str]]

# Documents of one answer; those with arrays are large.
PAGE = 2_000
PAGE_OF_CHARTS = 100


def hits(
    session: Session,
    alias: str,
    query: Mapping[str, Any],
    sort: Sort,
    *,
    after: Sequence[Any] | None = None,
    limit: int | None = None,
    page: int = PAGE,
    **options: Any,
) -> Iterator[Hit]:
    """Documents in order, at most ``limit``; a missing alias holds none."""
    left = limit
    while left is None or left > 0:
        size = page if left is None else min(page, left)
        found = _page(session, alias, {
            "query": query,
            "sort": sort,
            "size": size,
            **({"search_after": list(after)} if after is not None else {}),
            **options,
        })  # fmt: skip
        yield from found
        if len(found) < size:
            return
        after = found[-1]["sort"]
        left = None if left is None else left - len(found)


def _page(session: Session, alias: str, body: Mapping[str, Any]) -> Sequence[Hit]:
    answer = asked(session, alias, {"track_total_hits": False, **body})
    if answer is None:
        return []
    return field(session, answer, "hits", "hits")  # type: ignore[no-any-return]


def asked(session: Session, alias: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A search's answer; None when there is no index yet."""
    answer: Mapping[str, Any] | None = session.ask(lambda client: _search(client, alias, body))
    return answer


def _search(client: Elasticsearch, alias: str, body: Mapping[str, Any]) -> Any:
    try:
        # Without a part of the shards a search would say that nothing is known.
        return client.search(index=alias, allow_partial_search_results=False, **body).body
    except ApiError as error:
        if is_missing_index(error):
            return None
        raise


def count(session: Session, alias: str, query: Mapping[str, Any] | None = None) -> int:
    """How many documents match; all of them without a query."""
    body = {"query": query or {"match_all": {}}, "size": 0, "track_total_hits": True}
    answer = asked(session, alias, body)
    return 0 if answer is None else int(field(session, answer, "hits", "total")["value"])


def field(session: Session, answer: Any, *path: str) -> Any:
    """A part of an answer; CorruptError when something else answered."""
    for name in path:
        if not isinstance(answer, Mapping) or name not in answer:
            raise CorruptError(f"index {session.shown}: answers a search without {name}")
        answer = answer[name]
    return answer


def stored(session: Session, places: Sequence[tuple[str, str]]) -> list[Hit | None]:
    """Documents by (index, id) as they are this moment, refreshed or not; None: not there."""
    if not places:
        return []
    docs = [{"_index": index, "_id": id_} for index, id_ in places]

    def read(client: Elasticsearch) -> Sequence[Hit]:
        found: Sequence[Hit] = field(session, client.mget(docs=docs).body, "docs")
        for each in found:
            if "error" in each and "index_not_found" not in str(each["error"].get("type")):
                raise of_document(session.shown, each)
        return found

    found = session.ask(read)
    if len(found) != len(places):
        raise CorruptError(f"index {session.shown}: answers with other documents than asked for")
    return [each if each.get("found") else None for each in found]
