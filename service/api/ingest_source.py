"""The source that points are sent to: it must be there, or this caller may make it."""

from service.api.access import check_source, source_or_404
from service.api.errors import QueryError
from service.api.resources import Resources
from service.auth.caller import Caller
from service.database.audit import record_change
from service.database.sources import get_source, put_source
from service.errors import ConflictError
from storage.errors import InvalidError
from storage.series_key import check_source as check_name


def check_ingest_source(opened: Resources, caller: Caller, name: str) -> None:
    """Refuse a source that is not there and that this caller may not make."""
    check_source(caller, "ingest", name)
    may_make = opened.settings.creates_sources and caller.may("manage", name)
    with opened.database.read() as tx:
        if may_make and get_source(tx, name, deleted=True) is None:
            _check_name(name)
        elif source_or_404(tx, caller, "ingest", name).kind == "external":
            raise ConflictError(f"source {name} is external: its points are in its own table")


def make_ingest_source(opened: Resources, caller: Caller, name: str, now_ms: int) -> None:
    """Make what the first points belong to; the check has allowed it."""
    with opened.database.write() as tx:
        if get_source(tx, name, deleted=True) is None:
            put_source(tx, name, "managed", "UTC", {"kind": "managed"}, now_ms)
            record_change(tx, now_ms, caller.name, "source.put", name, {"by": "first points"})


def _check_name(name: str) -> None:
    try:
        check_name(name)
    except InvalidError as error:
        raise QueryError("source", str(error)) from None
