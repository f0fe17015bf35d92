"""What the caller of a route may do: the caller was decided before the route was entered."""

from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Connection

from service.auth.caller import Caller, Verb, token_caller
from service.database.sources import Source, get_source, list_sources
from service.errors import ForbiddenError, UnknownError


def caller_of(request: Request) -> Caller:
    """The caller that `service/api/gate.py` found."""
    found: Caller = request.state.caller
    return found


async def _asking(request: Request) -> Caller:
    """For routes: what does not wait needs no thread of its own."""
    return caller_of(request)


Asking = Annotated[Caller, Depends(_asking)]


def check(caller: Caller, verb: Verb, source: str, what: str) -> None:
    """Refuse: what belongs to an unseen source does not exist, else the verb must be granted."""
    if not caller.sees(source):
        raise UnknownError(f"{what} does not exist, or you may not see it")
    if not caller.may(verb, source):
        raise ForbiddenError(f"this needs the verb {verb} for source {source}")


def check_source(caller: Caller, verb: Verb, source: str) -> None:
    """Refuse a source that the caller may not see or not use so."""
    check(caller, verb, source, f"source {source}")


def check_everywhere(caller: Caller, verb: Verb) -> None:
    """Refuse what belongs to no single source to all but callers of every source."""
    if not caller.may_everywhere(verb):
        raise ForbiddenError(f"this needs the verb {verb} for all sources (*)")


def check_itself(caller: Caller, token: str) -> None:
    """Refuse all but the token itself and those who may manage everything."""
    if caller.name != token_caller(token):
        check_everywhere(caller, "manage")


def source_or_404(tx: Connection, caller: Caller, verb: Verb, name: str) -> Source:
    """The source, when it is there and the caller may do this with it."""
    check_source(caller, verb, name)
    found = get_source(tx, name)
    if found is None:
        raise UnknownError(f"source {name} does not exist, or you may not see it")
    return found


def visible(tx: Connection, caller: Caller, verb: Verb) -> list[str] | None:
    """Names of the sources whose things a list may show; None: all of them."""
    if not caller.may_somewhere(verb):
        raise ForbiddenError(f"this needs the verb {verb}")
    if caller.may_everywhere(verb):
        return None
    names: list[str] = []
    page = list_sources(tx)
    while page:
        names += [source.name for source in page if caller.may(verb, source.name)]
        page = list_sources(tx, after=page[-1].name)
    return names
