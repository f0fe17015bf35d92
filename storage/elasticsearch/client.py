"""The connection to Elasticsearch: one client for each process, credentials read when needed."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from elastic_transport import HttpHeaders, Urllib3HttpNode
from elastic_transport._models import DefaultType
from elastic_transport.client_utils import DEFAULT
from elasticsearch import AuthenticationException, Elasticsearch

from storage.elasticsearch.address import Address
from storage.elasticsearch.errors import StartingError, translated
from storage.errors import InvalidError
from storage.settings import ElasticsearchSettings

T = TypeVar("T")
Credentials = tuple[str, ...]  # an API key, or user and password

REQUEST_SECONDS = 30
RETRIES = 3
# An index that was made a moment ago, by us or by somebody else, does not answer yet.
STARTING_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0)


class OlderServerNode(Urllib3HttpNode):
    """Speaks to an 8.x server, which refuses the media types of a 9.x client."""

    def perform_request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: DefaultType | float | None = DEFAULT,
    ) -> Any:
        """Send one request with the older version's headers."""
        older = HttpHeaders([
            (name, value.replace("compatible-with=9", "compatible-with=8"))
            for name, value in (headers or {}).items()
        ])  # fmt: skip
        return super().perform_request(method, target, body, older, request_timeout)


class Session:
    """Asks Elasticsearch; safe for many threads, and for processes that fork."""

    def __init__(self, address: Address, settings: ElasticsearchSettings) -> None:
        self.shown = address.url
        self._address = address
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Elasticsearch | None = None
        self._used: Credentials = ()
        self._owner = os.getpid()
        self._closed = False

    def ask(self, question: Callable[[Elasticsearch], T]) -> T:
        """The answer, errors translated. Refused credentials are read again once: a rotated
        secret costs nothing."""
        for pause in STARTING_SECONDS:
            try:
                return self._asked(question)
            except StartingError:
                time.sleep(pause)
        return self._asked(question)

    def _asked(self, question: Callable[[Elasticsearch], T]) -> T:
        with translated(self.shown):
            client = self._current()
            try:
                return question(client)
            except AuthenticationException:
                fresh = self._renewed(client)
                if fresh is None:
                    raise
                return question(fresh)

    def _current(self) -> Elasticsearch:
        with self._lock_of_this_process():
            if self._closed:
                raise InvalidError(f"index {self.shown}: is closed")
            if self._client is None:
                self._used = self._credentials()
                self._client = self._connect(self._used)
            return self._client

    def _renewed(self, refused: Elasticsearch) -> Elasticsearch | None:
        """A client with the credentials of now; None when they are the refused ones."""
        with self._lock_of_this_process():
            if self._client is not refused:  # another thread was here first
                return self._client
            now = self._credentials()
            if now == self._used:
                return None
            # The old client is not closed: other threads may be reading its answers.
            self._used, self._client = now, self._connect(now)
            return self._client

    @contextmanager
    def _lock_of_this_process(self) -> Iterator[None]:
        if os.getpid() != self._owner:
            # Sockets carried over a fork would mix the answers of two processes.
            self._owner, self._client, self._lock = os.getpid(), None, threading.Lock()
        with self._lock:
            yield

    def _credentials(self) -> Credentials:
        settings = self._settings
        if settings.api_key:
            return (settings.api_key.read(),)
        return (settings.user, settings.password.read()) if settings.user else ()

    def _connect(self, credentials: Credentials) -> Elasticsearch:
        options: dict[str, Any] = {}
        if len(credentials) == 1:
            options["api_key"] = credentials[0]
        elif credentials:
            options["basic_auth"] = credentials
        if self._address.compat == 8:
            options["node_class"] = OlderServerNode
        if self._settings.ca_bundle is not None and self.shown.startswith("https:"):
            options["ca_certs"] = str(self._settings.ca_bundle)
        try:
            return Elasticsearch(
                self.shown,
                request_timeout=REQUEST_SECONDS,
                max_retries=RETRIES,
                retry_on_timeout=True,
                **options,
            )
        except (OSError, ValueError) as error:
            raise InvalidError(f"index {self.shown}: {error}") from error

    def close(self) -> None:
        """Close the connections; asking afterwards is an error."""
        with self._lock_of_this_process():
            self._closed = True
            if self._client is not None:
                self._client.close()
                self._client = None
