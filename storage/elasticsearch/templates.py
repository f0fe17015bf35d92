"""Index templates: what fields documents have; a field that is not here is refused.

A template names the layout in its ``_meta``; one that is as it should be is not written again.
"""

import logging
from collections.abc import Mapping
from typing import Any

from elasticsearch import ApiError, Elasticsearch, NotFoundError

from storage.elasticsearch.client import Session
from storage.elasticsearch.names import KINDS, Kind, Names
from storage.errors import RefusedError
from storage.series_key import canonical_id
from storage.settings import ElasticsearchSettings

CLUSTER_PRIVILEGES = ("monitor", "manage_index_templates")
INDEX_PRIVILEGES = ("create_index", "read", "write", "maintenance", "view_index_metadata")

# Above those that Elasticsearch brings for names such as metrics-*-*.
_PRIORITY = 500

Fields = Mapping[str, Mapping[str, Any]]

logger = logging.getLogger(__name__)

_KEYWORD = {"type": "keyword"}
_LONG = {"type": "long"}
_DOUBLE = {"type": "double"}
_TIME = {"type": "date", "format": "epoch_millis"}
# Name and value are one term, which has at most 32,766 bytes; what is longer is kept unsearched.
_LABELS = {"type": "flattened", "ignore_above": 8_000}
# What charts draw is only read back.
_CHART = {"type": "object", "enabled": False}

_SERIES_OF = {"id": _KEYWORD, "source": _KEYWORD, "series": _KEYWORD}

_FIELDS: Mapping[Kind, Fields] = {
    "anomalies": {
        **_SERIES_OF,
        "@timestamp": _TIME,
        **dict.fromkeys(("rule", "metric"), _KEYWORD),
        "labels": _LABELS,
        **dict.fromkeys(("value", "expected", "lower", "upper", "score"), _DOUBLE),
        **dict.fromkeys(("severity", "direction", "reason", "status", "cause"), _KEYWORD),
        **dict.fromkeys(("severity_rank", "transition", "generation"), _LONG),
        **dict.fromkeys(("detector", "detector_hash", "run"), _KEYWORD),
        **dict.fromkeys(("episode_start", "written_at"), _TIME),
        "verdict": _KEYWORD,
        "comment": {"type": "text"},
        "verdict_by": _KEYWORD,
        "verdict_at": _TIME,
        "change": {
            "properties": {
                "kind": _KEYWORD,
                **dict.fromkeys(("size", "confidence"), _DOUBLE),
                **dict.fromkeys(("earliest_ms", "latest_ms"), _TIME),
            }
        },
    },
    "points": {
        **_SERIES_OF,
        "@timestamp": _TIME,
        "day": _KEYWORD,
        "sequence": _LONG,
        "chart": _CHART,
    },
    "bands": {
        **_SERIES_OF,
        "@timestamp": _TIME,
        **dict.fromkeys(("rule", "run"), _KEYWORD),
        "generation": _LONG,
        "chart": _CHART,
    },
    "series": {
        **_SERIES_OF,
        "metric": _KEYWORD,
        "labels": _LABELS,
        **dict.fromkeys(("step_ms", "sequence", "step_sequence"), _LONG),
        **dict.fromkeys(("first", "last"), _TIME),
    },
}


def template(names: Names, kind: Kind, settings: ElasticsearchSettings) -> dict[str, Any]:
    """The body of a kind's template."""
    content = {
        "index_patterns": [names.pattern(kind)],
        "priority": _PRIORITY,
        "template": {
            "settings": {
                "index": {
                    "number_of_shards": settings.shards,
                    "number_of_replicas": settings.replicas,
                }
            },
            "mappings": {"dynamic": "strict", "properties": _FIELDS[kind]},
            "aliases": {names.alias(kind): {}},
        },
    }
    return {**content, "_meta": {"by": "lupus", "content": canonical_id(content)}}


def install(session: Session, names: Names, settings: ElasticsearchSettings) -> None:
    """Write the templates that are missing or differ; many processes may do so at once.

    Raises
    ------
    RefusedError
        The credentials lack a privilege; the message says which are needed.
    """
    for kind in KINDS:
        wanted = template(names, kind, settings)
        try:
            session.ask(lambda client, kind=kind, body=wanted: _install(client, names, kind, body))  # type: ignore[misc]
        except RefusedError as error:
            raise RefusedError(f"{error}; {privileges(names)}") from error


def _install(client: Elasticsearch, names: Names, kind: Kind, wanted: dict[str, Any]) -> None:
    installed = content_of(client, names, kind)
    if installed == wanted["_meta"]["content"]:
        return
    if installed is not None:
        _extend(client, names, kind)
    client.indices.put_index_template(name=names.stem(kind), **_arguments(wanted))


def _extend(client: Elasticsearch, names: Names, kind: Kind) -> None:
    """Let the indices of earlier months take the fields that came since; none ever changes."""
    try:
        client.indices.put_mapping(index=names.pattern(kind), properties=dict(_FIELDS[kind]))
    except NotFoundError:
        return
    except ApiError as error:
        if error.status_code not in (401, 403):
            raise
        logger.warning(
            "indices %s: new fields cannot be added to existing months without the privilege "
            "manage; documents with such a field are refused until next month: %s",
            names.pattern(kind),
            error,
        )


def _arguments(body: dict[str, Any]) -> dict[str, Any]:
    return {("meta" if name == "_meta" else name): value for name, value in body.items()}


def content_of(client: Elasticsearch, names: Names, kind: Kind) -> str | None:
    """What the installed template says of its content; None when there is none of ours."""
    try:
        found = client.indices.get_index_template(name=names.stem(kind))
    except NotFoundError:
        return None
    for each in found.get("index_templates", []):
        meta = each["index_template"].get("_meta") or {}
        return str(meta.get("content"))
    return None


def privileges(names: Names) -> str:
    """The rights that the index needs, as one sentence for an operator."""
    return (
        f"needed are the cluster privileges {', '.join(CLUSTER_PRIVILEGES)} and, on "
        f"{names.prefix}-*, {', '.join(INDEX_PRIVILEGES)} (and delete_index for retention)"
    )
