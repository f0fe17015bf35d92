"""The one table of kinds."""

from collections.abc import Mapping

from service.notifications.kinds.alertmanager import AlertmanagerKind
from service.notifications.kinds.kind import Kind
from service.notifications.kinds.slack import SLACK_API, SlackKind
from service.notifications.kinds.webhook import WebhookKind

Kinds = Mapping[str, Kind]


def kinds_of(slack_api: str = SLACK_API) -> Kinds:
    """Every kind by its name."""
    kinds: tuple[Kind, ...] = (WebhookKind(), SlackKind(slack_api.rstrip("/")), AlertmanagerKind())
    return {kind.name: kind for kind in kinds}
