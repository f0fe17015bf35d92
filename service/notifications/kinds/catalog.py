"""The one table of kinds."""

from collections.abc import Mapping

from service.egress.egress import Egress
from service.notifications.kinds.alertmanager import AlertmanagerKind
from service.notifications.kinds.kind import Kind
from service.notifications.kinds.slack import SLACK_API, SlackKind
from service.notifications.kinds.webhook import WebhookKind

Kinds = Mapping[str, Kind]


def kinds_of(slack_api: str = SLACK_API, egress: Egress | None = None) -> Kinds:
    """Every kind by its name; with an egress they keep no URL that it never lets through."""
    kinds: tuple[Kind, ...] = (
        WebhookKind(egress),
        SlackKind(slack_api.rstrip("/"), egress),
        AlertmanagerKind(egress),
    )
    return {kind.name: kind for kind in kinds}
