"""Whole months are removed as indices, each by its name: a server may refuse wildcards."""

from collections.abc import Iterator

from elasticsearch import ApiError, Elasticsearch

from storage.elasticsearch.client import Session
from storage.elasticsearch.errors import is_missing_index
from storage.elasticsearch.names import MONTHLY, Names
from storage.elasticsearch.search import count
from storage.errors import RefusedError
from storage.index import ExpiredMonth
from storage.months import month_of


def expire(session: Session, names: Names, before_ms: int, dry_run: bool) -> list[ExpiredMonth]:
    """Remove the months that ended by then; says what was there."""
    found = []
    for expired, index in sorted(_months(session, names, month_of(before_ms)), key=_order):
        if not dry_run:
            try:
                session.ask(lambda client, index=index: _delete(client, index))  # type: ignore[misc]
            except RefusedError as error:
                wanted = f"needed is the privilege delete_index on {names.prefix}-*"
                raise RefusedError(f"{error}; {wanted}") from error
        if expired.documents:
            found.append(expired)
    return found


def _order(found: tuple[ExpiredMonth, str]) -> tuple[str, str]:
    return found[0].month, found[0].kind


def _months(session: Session, names: Names, before: str) -> Iterator[tuple[ExpiredMonth, str]]:
    for kind in MONTHLY:
        for index in session.ask(lambda client, kind=kind: _indices(client, names.alias(kind))):  # type: ignore[misc]
            month = names.month(kind, index)
            if month is not None and month < before:
                yield ExpiredMonth(month, kind, count(session, index)), index


def _indices(client: Elasticsearch, alias: str) -> list[str]:
    try:
        return list(client.indices.get_alias(name=alias).body)
    except ApiError as error:
        if error.status_code == 404:  # no index has the alias yet
            return []
        raise


def _delete(client: Elasticsearch, index: str) -> None:
    try:
        client.indices.delete(index=index)
    except ApiError as error:
        if not is_missing_index(error):  # somebody else removed it at the same time
            raise
