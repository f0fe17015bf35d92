"""The test servers: settings for them, and index prefixes that are removed at the end."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from elasticsearch import Elasticsearch

from storage.elasticsearch.address import address_of
from storage.elasticsearch.client import Session
from storage.elasticsearch.index import ElasticsearchIndex
from storage.elasticsearch.names import KINDS, Names
from storage.elasticsearch.templates import CLUSTER_PRIVILEGES, INDEX_PRIVILEGES
from storage.secret import Secret
from storage.settings import ElasticsearchSettings
from tests.real import own_name, server

PLAIN = "LUPUS_TEST_ELASTICSEARCH_URL"
SECURED = "LUPUS_TEST_ELASTICSEARCH_SECURE_URL"
OLDER = "LUPUS_TEST_ELASTICSEARCH8_URL"


@dataclass(frozen=True)
class Place:
    """Where a test may write: a real server below a prefix of its own."""

    url: str
    settings: ElasticsearchSettings
    admin: ElasticsearchSettings

    @property
    def names(self) -> Names:
        return Names(self.settings.prefix)

    def open(self) -> ElasticsearchIndex:
        return ElasticsearchIndex(self.url, self.settings)

    @contextmanager
    def client(self) -> Iterator[Elasticsearch]:
        """A client that may do everything, to look behind the index."""
        session = Session(address_of(self.url), self.admin)
        try:
            yield session.ask(lambda client: client.options(request_timeout=120))
        finally:
            session.close()

    def indices(self) -> list[str]:
        """The indices of the prefix."""
        with self.client() as client:
            return sorted(client.indices.get(index=f"{self.settings.prefix}-*").body)

    def with_key(self, **role: Any) -> "Place":
        """The same with an API key; its rights are exactly the documented ones, or those given."""
        wanted = role or documented_role(self.settings.prefix)
        with self.client() as client:
            made = client.security.create_api_key(
                name=self.settings.prefix, role_descriptors={"lupus": wanted}, expiration="1d"
            )
        key = ElasticsearchSettings(
            api_key=Secret(made["encoded"]), prefix=self.settings.prefix, replicas=0
        )
        return replace(self, settings=key)


def documented_role(prefix: str) -> Mapping[str, Any]:
    """What docs/elasticsearch.md tells operators to grant."""
    return {
        "cluster": list(CLUSTER_PRIVILEGES),
        "indices": [{"names": [f"{prefix}-*"], "privileges": list(INDEX_PRIVILEGES)}],
    }


def place(variable: str = PLAIN, prefix: str = "") -> Place:
    """A prefix on the server of a variable, whose user may do everything."""
    parts = urlsplit(server(variable))
    url = f"{parts.scheme}://{parts.hostname}:{parts.port}"
    admin = ElasticsearchSettings(
        user=parts.username or "",
        password=Secret(parts.password or ""),
        prefix=prefix or own_name(),
        replicas=0,
    )
    return Place(f"{url}?compat=8" if variable == OLDER else url, admin, admin)


def place_of(variable: str, folder: Path) -> Place:
    """The place that belongs to a test's folder: each of its processes finds the same."""
    name = hashlib.sha256(f"{os.uname().nodename}{folder}".encode()).hexdigest()[:16]
    found = place(variable, f"t{name}")
    if variable != SECURED:
        return found
    role = documented_role(found.settings.prefix)
    rights = role["indices"][0]
    return found.with_key(**{
        **role, "indices": [{**rights, "privileges": [*rights["privileges"], "delete_index"]}]
    })  # fmt: skip


@contextmanager
def own_place(variable: str = PLAIN) -> Iterator[Place]:
    """A place that is gone at the end."""
    found = place(variable)
    try:
        yield found
    finally:
        remove(found)


def remove(found: Place) -> None:
    """Remove indices and templates of the prefix, each by its name."""
    with found.client() as client:
        for name in client.indices.get(index=f"{found.settings.prefix}-*").body:
            client.indices.put_settings(index=name, settings={"index.blocks.write": None})
            client.options(ignore_status=404).indices.delete(index=name)
        for kind in KINDS:
            name = found.names.stem(kind)
            client.options(ignore_status=404).indices.delete_index_template(name=name)
