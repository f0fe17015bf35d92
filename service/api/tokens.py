"""Tokens of batch jobs, and who the caller of a request is."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, Field

from service.api.access import Asking, check_everywhere, check_itself
from service.api.body import Body, StrictRoute, check_kept
from service.api.cursor import decode, encode
from service.api.page import Cursor, Limit, PageOut
from service.api.resources import Opened, Resources
from service.api.source_body import Duration
from service.api.times import body_ms, rfc3339, rfc3339_or_none
from service.auth.caller import PATTERN, VERBS, Verb, tidied
from service.auth.issue import change_token, issue_token, ordered, revoke_token
from service.auth.life import end_of_life, ends_soon
from service.auth.rotate import DEFAULT_OVERLAP, rotate_token
from service.database.tokens import Token, get_token, list_tokens
from service.duration import duration_ms
from service.errors import UnknownError

router = APIRouter(prefix="/v1", tags=["tokens"], route_class=StrictRoute)

Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(check_kept)]
Sources = Annotated[
    list[Annotated[str, Field(pattern=f"^{PATTERN.pattern}$")]],
    Field(
        min_length=1,
        max_length=1000,
        description="Names of sources; `*` stands for any letters: `team-a.*` is what begins so.",
    ),
]
Verbs = Annotated[list[Verb], Field(min_length=1)]


class TokenBody(Body):
    """What a token is for, and what it may do."""

    name: Name
    sources: Sources
    verbs: Verbs
    expires_in: Duration | None = Field(
        default=None, description="Default: the longest life of the settings, else never."
    )
    expires_at: str | None = Field(
        default=None, description="Instead of `expires_in`: RFC 3339 with an offset."
    )


class TokenChange(Body):
    """What is to be different; a field that is left out stays as it is."""

    name: Name | None = None
    sources: Sources | None = None
    verbs: Verbs | None = None
    expires_in: Duration | None = Field(default=None, description="From now on.")
    expires_at: str | None = Field(
        default=None, description="RFC 3339 with an offset; null: never, where that is allowed."
    )


class RotateBody(Body):
    """How the secret is replaced."""

    overlap: Duration = Field(
        default=DEFAULT_OVERLAP,
        description="So long the secret before goes on holding, at most 30d; `0s` ends it at once.",
    )


class PreviousOut(BaseModel):
    """The secret before, while it still holds."""

    until: str
    last_used_at: str | None = Field(description="Null since the rotation: nobody needs it.")


class TokenOut(BaseModel):
    """A token without its secret."""

    id: str
    name: str
    sources: list[str]
    verbs: list[str]
    created_at: str
    rotated_at: str | None = Field(description="When it got the secret that it has now.")
    expires_at: str | None
    expires_soon: bool = Field(description="Within 14 days, or it is over.")
    last_used_at: str | None = Field(description="To the minute, by either secret.")
    previous: PreviousOut | None
    revoked_at: str | None


class NewTokenOut(TokenOut):
    """A token and its secret, which is shown this once."""

    token: str


class GrantOut(BaseModel):
    """Verbs on sources."""

    sources: list[str]
    verbs: list[Verb]


class MeOut(BaseModel):
    """Who asks."""

    name: str
    grants: list[GrantOut]
    expires_at: str | None = Field(description="When what was shown to log in ends.")
    expires_soon: bool = Field(description="Within 14 days: rotate it, or have it prolonged.")


def shown(token: Token, now_ms: int) -> TokenOut:
    """A token as the API shows it."""
    used = [ms for ms in (token.last_used_ms, token.previous_used_ms) if ms is not None]
    return TokenOut(
        id=token.id,
        name=token.name,
        sources=list(token.sources),
        verbs=list(token.verbs),
        created_at=rfc3339(token.created_ms),
        rotated_at=rfc3339_or_none(token.rotated_ms),
        expires_at=rfc3339_or_none(token.expires_ms),
        expires_soon=ends_soon(token.expires_ms, now_ms),
        last_used_at=rfc3339_or_none(max(used, default=None)),
        previous=_previous(token, now_ms),
        revoked_at=rfc3339_or_none(token.revoked_ms),
    )


def _previous(token: Token, now_ms: int) -> PreviousOut | None:
    if token.previous_until_ms is None or token.previous_until_ms <= now_ms:
        return None
    return PreviousOut(
        until=rfc3339(token.previous_until_ms),
        last_used_at=rfc3339_or_none(token.previous_used_ms),
    )


def _end(opened: Resources, body: TokenBody | TokenChange) -> int | None:
    return end_of_life(
        duration_ms(body.expires_in) if body.expires_in else None,
        body_ms("/expires_at", body.expires_at) if body.expires_at else None,
        opened.clock.now_ms(),
        opened.settings.token_max_days,
    )


@router.post("/tokens", operation_id="createToken", status_code=201)
def create_token(opened: Opened, caller: Asking, body: TokenBody) -> NewTokenOut:
    """Make a token; the answer is the only place that shows it."""
    check_everywhere(caller, "manage")
    now_ms = opened.clock.now_ms()
    end_ms = _end(opened, body)
    token, secret = issue_token(
        opened.database, body.name, body.sources, body.verbs, end_ms, now_ms, caller.name
    )
    return NewTokenOut(**shown(token, now_ms).model_dump(), token=secret)


@router.get("/tokens", operation_id="listTokens")
def get_tokens(
    opened: Opened, caller: Asking, cursor: Cursor = None, limit: Limit = 100
) -> PageOut[TokenOut]:
    """All tokens, oldest first, also those that ended."""
    check_everywhere(caller, "manage")
    now_ms = opened.clock.now_ms()
    after = decode(cursor, str)
    with opened.database.read() as tx:
        found = list_tokens(tx, limit, after[0] if after else "")
    last = encode(found[-1].id) if len(found) == limit else None
    return PageOut(items=[shown(token, now_ms) for token in found], cursor=last)


@router.get("/tokens/{token}", operation_id="getToken")
def get_one(opened: Opened, caller: Asking, token: str) -> TokenOut:
    """One token; a token may ask for itself."""
    check_itself(caller, token)
    with opened.database.read() as tx:
        found = get_token(tx, token)
    if found is None:
        raise UnknownError(f"token {token} does not exist")
    return shown(found, opened.clock.now_ms())


@router.patch("/tokens/{token}", operation_id="changeToken")
def patch_token(opened: Opened, caller: Asking, token: str, body: TokenChange) -> TokenOut:
    """Change what it may do, or when it ends; its secret stays."""
    check_everywhere(caller, "manage")
    now_ms = opened.clock.now_ms()
    changed = change_token(opened.database, token, _changes(opened, body), now_ms, caller.name)
    return shown(changed, now_ms)


def _changes(opened: Resources, body: TokenChange) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if body.name is not None:
        changes["name"] = body.name
    if body.sources is not None:
        changes["sources"] = tidied(body.sources)
    if body.verbs is not None:
        changes["verbs"] = ordered(body.verbs)
    if body.model_fields_set & {"expires_in", "expires_at"}:
        changes["expires_ms"] = _end(opened, body)
    return changes


@router.post("/tokens/{token}/rotate", operation_id="rotateToken")
def rotate(
    opened: Opened, caller: Asking, token: str, body: RotateBody | None = None
) -> NewTokenOut:
    """Give it a new secret, shown this once; the one before holds for the overlap.

    Whoever may manage everything may do this, and the token itself. Its end stays as it is.
    """
    check_itself(caller, token)
    now_ms = opened.clock.now_ms()
    overlap_ms = duration_ms((body or RotateBody()).overlap)
    rotated, secret = rotate_token(
        opened.database, token, overlap_ms, now_ms, caller.name, caller.secret_hash
    )
    return NewTokenOut(**shown(rotated, now_ms).model_dump(), token=secret)


@router.delete("/tokens/{token}", operation_id="revokeToken", status_code=204)
def delete_token(opened: Opened, caller: Asking, token: str) -> Response:
    """End a token at once, with the secret before it; again is a no-op."""
    check_everywhere(caller, "manage")
    revoke_token(opened.database, token, opened.clock.now_ms(), caller.name)
    return Response(status_code=204)


@router.get("/me", operation_id="getMe")
def get_me(opened: Opened, caller: Asking) -> MeOut:
    """Who the service takes you for, and what you may do."""
    grants = [
        GrantOut(sources=list(grant.sources), verbs=[v for v in VERBS if v in grant.verbs])
        for grant in caller.grants
    ]
    return MeOut(
        name=caller.name,
        grants=grants,
        expires_at=rfc3339_or_none(caller.expires_ms),
        expires_soon=ends_soon(caller.expires_ms, opened.clock.now_ms()),
    )
