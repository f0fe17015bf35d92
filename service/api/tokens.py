"""Tokens of batch jobs, and who the caller of a request is."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, Field

from service.api.access import Asking, check_everywhere
from service.api.body import Body, StrictRoute, check_kept
from service.api.page import PageOut
from service.api.resources import Opened
from service.api.source_body import Duration
from service.api.times import rfc3339, rfc3339_or_none
from service.auth.caller import PATTERN, VERBS, Verb
from service.auth.issue import issue_token
from service.database.audit import record_change
from service.database.tokens import Token, list_tokens, revoke_token
from service.duration import duration_ms
from service.errors import UnknownError

router = APIRouter(prefix="/v1", tags=["tokens"], route_class=StrictRoute)


class TokenBody(Body):
    """What a token is for, and what it may do."""

    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(check_kept)]
    sources: list[Annotated[str, Field(pattern=f"^{PATTERN.pattern}$")]] = Field(
        min_length=1, description="Names of sources; `*` stands for any letters."
    )
    verbs: list[Verb] = Field(min_length=1)
    expires_in: Duration | None = Field(default=None, description="Default: never.")


class TokenOut(BaseModel):
    """A token without its secret."""

    id: str
    name: str
    sources: list[str]
    verbs: list[str]
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None


class NewTokenOut(TokenOut):
    """A token and its secret, which is shown this once."""

    token: str


class MeOut(BaseModel):
    """Who asks."""

    name: str
    sources: list[str]
    verbs: list[Verb]


def shown(token: Token) -> TokenOut:
    """A token as the API shows it."""
    return TokenOut(
        id=token.id,
        name=token.name,
        sources=list(token.sources),
        verbs=list(token.verbs),
        created_at=rfc3339(token.created_ms),
        expires_at=rfc3339_or_none(token.expires_ms),
        last_used_at=rfc3339_or_none(token.last_used_ms),
        revoked_at=rfc3339_or_none(token.revoked_ms),
    )


@router.post("/tokens", operation_id="createToken", status_code=201)
def create_token(opened: Opened, caller: Asking, body: TokenBody) -> NewTokenOut:
    """Make a token; the answer is the only place that shows it."""
    check_everywhere(caller, "manage")
    life_ms = duration_ms(body.expires_in) if body.expires_in else None
    token, secret = issue_token(
        opened.database,
        body.name,
        body.sources,
        body.verbs,
        life_ms,
        opened.clock.now_ms(),
        caller.name,
    )
    return NewTokenOut(**shown(token).model_dump(), token=secret)


@router.get("/tokens", operation_id="listTokens")
def get_tokens(opened: Opened, caller: Asking) -> PageOut[TokenOut]:
    """All tokens, also those that ended."""
    check_everywhere(caller, "manage")
    with opened.database.read() as tx:
        return PageOut(items=[shown(token) for token in list_tokens(tx)], cursor=None)


@router.delete("/tokens/{token}", operation_id="revokeToken", status_code=204)
def delete_token(opened: Opened, caller: Asking, token: str) -> Response:
    """End a token at once."""
    check_everywhere(caller, "manage")
    now_ms = opened.clock.now_ms()
    with opened.database.write() as tx:
        if not revoke_token(tx, token, now_ms):
            raise UnknownError(f"token {token} does not exist or was revoked before")
        record_change(tx, now_ms, caller.name, "token.revoke", token)
    return Response(status_code=204)


@router.get("/me", operation_id="getMe")
def get_me(caller: Asking) -> MeOut:
    """Who the service takes you for, and what you may do."""
    verbs = [verb for verb in VERBS if verb in caller.verbs]
    return MeOut(name=caller.name, sources=list(caller.sources), verbs=verbs)
