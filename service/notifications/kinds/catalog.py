"""The one table of kinds."""

from collections.abc import Mapping

from service.notifications.kinds.kind import Kind
from service.notifications.kinds.webhook import WebhookKind

Kinds = Mapping[str, Kind]


def kinds_of() -> Kinds:
    """Every kind by its name."""
    kinds: tuple[Kind, ...] = (WebhookKind(),)
    return {kind.name: kind for kind in kinds}
