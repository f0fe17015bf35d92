"""Large bodies go past the service into its bucket, where it has one."""

import io
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Optional

from urllib3.exceptions import HTTPError

from lupus.client.body import Body
from lupus.client.connection import pool_for, timeout
from lupus.client.progress import Progress
from lupus.client.service import Answer, Service, reason_of
from lupus.errors import RefusedError, UnreachableError

_NO_BUCKET = (404, 405, 409)  # objects in a folder, or a service before uploads
_MAY_PASS = (408, 429)
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 15.0
_READ_SECONDS = 300.0
_CONNECTIONS = logging.getLogger("urllib3.connectionpool")


def upload(service: Service, source: str, body: Body, progress: Progress) -> Optional[Answer]:
    """Store a body in the bucket and name it; None where the service takes no uploads."""
    try:
        offer = service.post(
            ("sources", source, "uploads"),
            {
                "content_type": body.media_type,
                "content_encoding": "gzip" if body.gzip else "identity",
            },
        ).json
    except RefusedError as refused:
        if refused.status in _NO_BUCKET:
            return None
        raise
    if len(body.content) > offer["max_bytes"]:
        raise RefusedError(
            f"the file has {len(body.content):,} bytes, the service takes {offer['max_bytes']:,}: "
            "send it in several parts"
        )
    _put(service, offer, body.content, progress)
    return service.post(("sources", source, "points"), {"upload": offer["id"]})


def _put(service: Service, offer: Mapping[str, Any], content: bytes, progress: Progress) -> None:
    give_up, pause = time.monotonic() + service.retry_seconds, _FIRST_PAUSE_SECONDS
    while True:
        error = _put_once(service, offer, content, progress)
        if error is None:
            return
        if time.monotonic() + pause > give_up:
            raise error
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def _put_once(
    service: Service, offer: Mapping[str, Any], content: bytes, progress: Progress
) -> Optional[Exception]:
    """Send the file; gives an error that another try may help against."""
    url = offer["url"]
    try:
        with _unlogged():
            answer = pool_for(url, service.ca_bundle).request(
                offer["method"],
                url,
                body=_Told(content, progress),
                headers={**offer["headers"], "Content-Length": str(len(content))},
                retries=False,
                redirect=False,
                timeout=timeout(_READ_SECONDS),
            )
    except (HTTPError, OSError) as failed:
        return UnreachableError(f"the bucket of {service.url} does not answer: {reason_of(failed)}")
    if 200 <= answer.status < 300:
        return None
    error = RefusedError(
        f"the bucket of {service.url} answered {answer.status} to an upload", answer.status
    )
    if answer.status < 500 and answer.status not in _MAY_PASS:
        raise error
    return error


class _Told(io.BytesIO):
    """A body that says how much of it is gone."""

    def __init__(self, content: bytes, progress: Progress) -> None:
        super().__init__(content)
        self._size = len(content)
        self._progress = progress

    def read(self, size: Optional[int] = -1) -> bytes:
        piece = super().read(size)
        self._progress.say(f"of {self._size / 1e6:.1f} MB", self.tell() / max(1, self._size))
        return piece


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep signed addresses, which are secrets, out of urllib3's log of requests."""
    mine = threading.get_ident()

    def others(record: logging.LogRecord) -> bool:
        return record.thread != mine

    _CONNECTIONS.addFilter(others)
    try:
        yield
    finally:
        _CONNECTIONS.removeFilter(others)
