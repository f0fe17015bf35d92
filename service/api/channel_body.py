"""PUT /v1/channels/{channel}: each kind as people write it, and as it is shown without secrets."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field, TypeAdapter

from service.api.body import Body
from service.api.detection_body import Event
from service.api.times import rfc3339
from service.database.channels import Channel
from service.notifications.events import EVENTS, JOB_EVENTS, JobEvent
from service.notifications.kinds.catalog import Kinds
from service.notifications.kinds.kind import Given

Url = Annotated[str, Field(max_length=2000)]
Secret = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[!-~]+$")]


class _ChannelBody(Body):
    """What every kind has."""

    events: list[Event | JobEvent] = Field(
        default_factory=lambda: [*EVENTS, *JOB_EVENTS],
        min_length=1,
        description="What it wants; the `notify.on` of a detection, or of a pipeline's event, "
        "must name it too. Default: all.",
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


class SlackBody(_ChannelBody):
    """Slack: an incoming webhook, or a bot that posts to a channel and answers in threads."""

    kind: Literal["slack"]
    webhook_url: Url | None = Field(
        default=None,
        description="Of an incoming webhook; it is a secret. Left out: the old one stays.",
    )
    bot_token: Annotated[str, Field(max_length=600)] | None = Field(
        default=None,
        description="`xoxb-...` with the scope chat:write. Left out: the old one stays.",
    )
    channel: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="Where the bot posts: `#name` or, better, `C0123456789`."
    )

    def _secrets(self) -> Mapping[str, str | None]:
        return {"webhook_url": self.webhook_url, "bot_token": self.bot_token}


AlertEvent = Literal[
    "anomaly", "withdrawn", "succeeded", "partial", "failed", "job_succeeded", "job_failed"
]


class AlertmanagerBody(_ChannelBody):
    """Prometheus' Alertmanager, or all servers of a cluster."""

    kind: Literal["alertmanager"]
    events: list[AlertEvent] = Field(  # type: ignore[assignment]
        default_factory=lambda: list(get_args(AlertEvent)),
        min_length=1,
        description="What becomes an alert or ends one. Default: all of them.",
    )
    url: Url | None = Field(default=None, description="`https://host/prefix`, without /api/v2.")
    urls: list[Url] | None = Field(
        default=None,
        min_length=1,
        max_length=10,
        description="Instead of `url` all servers of a cluster: each gets every alert.",
    )
    bearer_token: Secret | None = Field(
        default=None, description="Left out: the old one stays, unless `user` is given."
    )
    user: Annotated[str, Field(min_length=1, max_length=200, pattern="^[^:]*$")] | None = Field(
        default=None, description="Instead of a token; goes with `password`."
    )
    password: Secret | None = Field(default=None, description="Left out: the old one stays.")
    labels: dict[str, Annotated[str, Field(max_length=250)]] = Field(
        default_factory=dict,
        max_length=20,
        description="Labels that every alert gets, for routing.",
    )
    hold: str | None = Field(
        default=None,
        description="An alert that nobody ends is over this long after it was last sent, such as "
        "`25h`. Default: 7d where the end of an episode is told, 25h where every point is.",
    )

    def _secrets(self) -> Mapping[str, str | None]:
        return {"bearer_token": self.bearer_token, "password": self.password}


AnyBody = Annotated[WebhookBody | SlackBody | AlertmanagerBody, Field(discriminator="kind")]


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


class SlackOut(_ChannelOut):
    """A Slack channel; of URL and token only the beginning."""

    kind: Literal["slack"]
    webhook_url: str | None = Field(default=None, description="Masked.")
    bot_token: str | None = Field(default=None, description="Masked.")
    channel: str | None = None


class AlertmanagerOut(_ChannelOut):
    """Alertmanagers, without what logs in there."""

    kind: Literal["alertmanager"]
    urls: list[str]
    user: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    hold: str | None = None


AnyOut = Annotated[WebhookOut | SlackOut | AlertmanagerOut, Field(discriminator="kind")]
_OUT: TypeAdapter[WebhookOut | SlackOut | AlertmanagerOut] = TypeAdapter(AnyOut)


def shown(
    kinds: Kinds, channel: Channel, new_secret: str | None = None
) -> WebhookOut | SlackOut | AlertmanagerOut:
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
