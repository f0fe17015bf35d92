"""PUT /v1/channels/{channel}: each kind as people write it, and as it is shown without secrets."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter

from service.api.body import Body
from service.api.detection_body import Event
from service.api.times import rfc3339
from service.database.channels import Channel
from service.notifications.events import EVENTS
from service.notifications.kinds.catalog import Kinds
from service.notifications.kinds.kind import Given

Url = Annotated[str, Field(max_length=2000)]


class _ChannelBody(Body):
    """What every kind has."""

    events: list[Event] = Field(
        default_factory=lambda: list(EVENTS),
        min_length=1,
        description="What it wants; a detection's `notify.on` must name it too. Default: all.",
    )

    def given(self, rotate: bool) -> Given:
        """As its kind takes it: what is not said is left out."""
        secrets = {name: value for name, value in self._secrets().items() if value is not None}
        known = {"kind", "events", *self._secrets()}
        settings = self.model_dump(exclude=known, exclude_none=True)
        return Given(settings, secrets, rotate)

    def _secrets(self) -> Mapping[str, str | None]:
        raise NotImplementedError


class WebhookBody(_ChannelBody):
    """A webhook that gets Standard Webhooks messages."""

    kind: Literal["webhook"]
    url: Url
    secret: str | None = Field(
        default=None,
        description="`whsec_` and base64 of 24 to 64 random bytes. Left out: the old one stays, "
        "or one is made and shown once.",
    )

    def _secrets(self) -> Mapping[str, str | None]:
        return {"secret": self.secret}


AnyBody = WebhookBody


class _ChannelOut(BaseModel):
    """What every kind shows."""

    name: str
    events: list[str]
    disabled_reason: str
    created_at: str
    updated_at: str


class WebhookOut(_ChannelOut):
    """A webhook; of the URL only what is no secret."""

    kind: Literal["webhook"]
    url: str
    secret: str = Field(description="Masked.")
    new_secret: str | None = Field(
        default=None, description="After PUT the secret that was made: shown this once."
    )


AnyOut = WebhookOut
_OUT: TypeAdapter[AnyOut] = TypeAdapter(AnyOut)


def shown(kinds: Kinds, channel: Channel, new_secret: str | None = None) -> AnyOut:
    """A channel without its secrets, but for one that was made just now."""
    content: dict[str, Any] = {
        "name": channel.name,
        "kind": channel.kind,
        "events": list(channel.events),
        "disabled_reason": channel.disabled_reason,
        "created_at": rfc3339(channel.created_ms),
        "updated_at": rfc3339(channel.updated_ms),
        **kinds[channel.kind].shown(channel.body),
        "new_secret": new_secret,
    }
    return _OUT.validate_python(content)
