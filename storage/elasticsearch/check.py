"""What `lupus-server doctor` looks at: reach, version, credentials, rights, templates."""

from collections.abc import Iterator

from elasticsearch import ApiError, Elasticsearch

from storage.check import Finding
from storage.elasticsearch.address import address_of
from storage.elasticsearch.client import Session
from storage.elasticsearch.names import KINDS, Names
from storage.elasticsearch.search import field
from storage.elasticsearch.templates import (
    CLUSTER_PRIVILEGES,
    INDEX_PRIVILEGES,
    content_of,
    privileges,
    template,
)
from storage.errors import CorruptError, RefusedError, StorageError
from storage.settings import ElasticsearchSettings, StorageSettings

OLDEST = (8, 19)
_RETENTION = "delete_index"


def check(part: str, url: str, settings: StorageSettings) -> list[Finding]:
    """Everything that can be seen without writing; never raises for what it is there to find."""
    try:
        names = Names(settings.elasticsearch.prefix)
        session = Session(address_of(url), settings.elasticsearch)
    except StorageError as error:
        return [Finding(part, "settings", "failed", str(error), "correct the setting")]
    try:
        return list(_findings(part, session, names, settings.elasticsearch))
    finally:
        session.close()


def _findings(
    part: str, session: Session, names: Names, settings: ElasticsearchSettings
) -> Iterator[Finding]:
    try:
        status = session.ask(lambda client: str(client.cluster.health().get("status")))
    except StorageError as error:
        yield _unreached(part, error)
        return
    yield _health(part, session.shown, status)
    for name, look in (("version", _version), ("rights", _rights), ("templates", _templates)):
        try:
            yield look(part, session, names, settings)
        except StorageError as error:
            yield Finding(part, name, "failed", str(error), privileges(names))


def _unreached(part: str, error: StorageError) -> Finding:
    if isinstance(error, RefusedError):
        advice = "check LUPUS_ELASTICSEARCH_API_KEY, or _USER and _PASSWORD, and LUPUS_CA_BUNDLE"
        return Finding(part, "credentials", "failed", str(error), advice)
    advice = "check LUPUS_INDEX and that this machine may reach the server"
    return Finding(part, "reach", "failed", str(error), advice)


def _health(part: str, shown: str, status: str) -> Finding:
    if status == "green":
        return Finding(part, "reach", "ok", f"{shown} is green")
    if status == "yellow":
        advice = "replicas have no node: LUPUS_INDEX_REPLICAS=0 fits a single node"
        return Finding(part, "reach", "warning", f"{shown} is yellow", advice)
    return Finding(part, "reach", "failed", f"{shown} is {status}", "ask who runs the cluster")


def _version(
    part: str, session: Session, _names: Names, _settings: ElasticsearchSettings
) -> Finding:
    number = session.ask(
        lambda client: str(field(session, client.info().body, "version", "number"))
    )
    if tuple(int(word) for word in number.split(".")[:2] if word.isdecimal()) < OLDEST:
        advice = f"needs Elasticsearch {'.'.join(map(str, OLDEST))} or newer"
        return Finding(part, "version", "failed", f"Elasticsearch {number}", advice)
    return Finding(part, "version", "ok", f"Elasticsearch {number}")


def _rights(part: str, session: Session, names: Names, _: ElasticsearchSettings) -> Finding:
    missing = session.ask(lambda client: _missing(client, names))
    if missing is None:
        detail, advice = "security is off: everybody may do everything", "turn security on"
        return Finding(part, "rights", "warning", detail, advice)
    if missing == [_RETENTION]:
        advice = f"grant {_RETENTION} on {names.prefix}-*, or run retention with another key"
        return Finding(part, "rights", "warning", f"lacks {_RETENTION}", advice)
    if missing:
        return Finding(part, "rights", "failed", f"lacks {', '.join(missing)}", privileges(names))
    return Finding(part, "rights", "ok", "has the documented role")


def _missing(client: Elasticsearch, names: Names) -> list[str] | None:
    """Privileges that the credentials lack; None when the server has no security."""
    wanted = [*INDEX_PRIVILEGES, _RETENTION]
    try:
        answer = client.security.has_privileges(
            cluster=list(CLUSTER_PRIVILEGES),
            index=[{"names": [f"{names.prefix}-*"], "privileges": wanted}],
        )
    except ApiError as error:
        if error.status_code in (400, 404, 405, 500):  # as servers without security answer
            return None
        raise
    try:
        of_index = answer["index"][f"{names.prefix}-*"]
        lacks = [name for name in CLUSTER_PRIVILEGES if not answer["cluster"][name]]
        return lacks + [name for name in wanted if not of_index[name]]
    except KeyError as error:
        raise CorruptError(f"says nothing of the privilege {error}") from None


def _templates(
    part: str, session: Session, names: Names, settings: ElasticsearchSettings
) -> Finding:
    missing = [
        names.stem(kind)
        for kind in KINDS
        if session.ask(lambda client, kind=kind: content_of(client, names, kind))  # type: ignore[misc]
        != template(names, kind, settings)["_meta"]["content"]
    ]
    if not missing:
        return Finding(part, "templates", "ok", f"{len(KINDS)} are installed")
    detail = f"not installed, or of another version: {', '.join(missing)}"
    advice = "start the service once: it installs them"
    return Finding(part, "templates", "warning", detail, advice)
