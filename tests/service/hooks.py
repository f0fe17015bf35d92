"""Webhooks as tests put them."""

from collections.abc import Sequence

from sqlalchemy import Connection

from service.notifications.channels import GivenChannel, SavedChannel, save_channel
from service.notifications.events import EVENTS
from service.notifications.kinds.catalog import kinds_of
from service.notifications.kinds.kind import Given
from service.secret_box import SecretBox


def put_webhook(
    tx: Connection,
    box: SecretBox,
    url: str,
    now_ms: int,
    name: str = "chat",
    events: Sequence[str] = EVENTS,
    secret: str | None = None,
) -> SavedChannel:
    """Create or replace a webhook."""
    given = Given({"url": url}, {} if secret is None else {"secret": secret})
    wanted = GivenChannel(name, events, given)
    return save_channel(tx, box, kinds_of()["webhook"], wanted, now_ms)
