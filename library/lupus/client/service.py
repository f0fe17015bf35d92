"""Calls of the service: asked again while it is away, its refusals in its own words."""

import datetime as dt
import json
import logging
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Optional, Union
from urllib.parse import quote, urlencode

from urllib3.exceptions import HTTPError, SSLError

from lupus.client.connection import Token, address, pool_for, timeout
from lupus.errors import RefusedError, SettingsError, UnreachableError
from lupus.version import VERSION

Query = Mapping[str, Union[str, int, Sequence[str], None]]

_READ_SECONDS = 180.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 15.0
_NOT_IMPLEMENTED = (501, 505)
_SHOWN_FIELDS = 10
_log = logging.getLogger("lupus")


@dataclass(frozen=True)
class Answer:
    """What the service said; ``tries`` counts how often it was asked."""

    status: int
    headers: Mapping[str, str]
    json: Any
    tries: int = 1

    @property
    def replayed(self) -> bool:
        """Whether the same request was carried out before."""
        return self.headers.get("Idempotency-Replayed", "") == "true"


class Service:
    """One service and one caller.

    Every call can be made twice: those that make something carry an ``Idempotency-Key``.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        token: Optional[str] = None,
        ca_bundle: Optional[str] = None,
        retry_seconds: float = 300.0,
    ) -> None:
        self.url = address(url)
        self.ca_bundle = ca_bundle
        self.retry_seconds = retry_seconds
        self._token = Token(token)
        self._pool = pool_for(self.url, ca_bundle)

    def call(
        self,
        method: str,
        path: Sequence[str],
        query: Optional[Query] = None,
        body: Optional[bytes] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> Answer:
        """Give the answer; RefusedError in the service's words, UnreachableError without any."""
        target = f"{self.url}/v1/{'/'.join(quote(part, safe='') for part in path)}{_query(query)}"
        give_up = time.monotonic() + self.retry_seconds
        pause, tries = _FIRST_PAUSE_SECONDS, 0
        while True:
            tries += 1
            try:
                return self._once(method, target, body, headers or {}, tries)
            except _AwayError as away:
                # Many who lost one service do not come back to it in the same moment.
                wished = max(away.pause_seconds, pause * random.uniform(0.5, 1.0))  # noqa: S311
                if time.monotonic() + wished > give_up:
                    raise away.error from None
                _log.info("%s; trying again in %.1f s", away.error, wished)
                time.sleep(wished)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def get(self, *path: str, query: Optional[Query] = None) -> Any:
        """Give the JSON of something."""
        return self.call("GET", path, query).json

    def post(
        self, path: Sequence[str], content: Any, query: Optional[Query] = None, key: str = ""
    ) -> Answer:
        """Send JSON; with a key, two that are equal make one thing."""
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        return self.call("POST", path, query, json.dumps(content).encode(), headers)

    def _once(
        self,
        method: str,
        target: str,
        body: Optional[bytes],
        headers: Mapping[str, str],
        tries: int,
    ) -> Answer:
        answer = self._asked(method, target, body, headers)
        if answer.status == 401 and self._token.read_again():
            answer = self._asked(method, target, body, headers)
        found = _json(answer)
        if 200 <= answer.status < 300:
            if answer.data and found is None:
                raise RefusedError(
                    f"{self.url} answered with something else than JSON: is that the service?",
                    answer.status,
                )
            return Answer(answer.status, answer.headers, found, tries)
        problem = found if isinstance(found, dict) else {}
        error = RefusedError(_words(self.url, answer, problem), answer.status, problem)
        error.replayed = answer.headers.get("Idempotency-Replayed", "") == "true"
        if _may_pass(answer.status) and "ingest" not in problem:
            raise _AwayError(error, _retry_after(answer.headers.get("Retry-After", "")))
        raise error

    def _asked(
        self, method: str, target: str, body: Optional[bytes], headers: Mapping[str, str]
    ) -> Any:
        try:
            return self._pool.request(
                method,
                target,
                body=body,
                headers={
                    "Accept": "application/json",
                    "User-Agent": f"lupus-python/{VERSION}",
                    **self._token.headers,
                    **headers,
                },
                retries=False,
                redirect=False,
                timeout=timeout(_READ_SECONDS),
            )
        except SSLError as error:
            raise SettingsError(
                f"{self.url}: its certificate is not trusted ({reason_of(error)}); LUPUS_CA_BUNDLE "
                "names a file of authorities"
            ) from None
        except (HTTPError, OSError) as error:
            raise _AwayError(
                UnreachableError(f"{self.url} does not answer: {reason_of(error)}")
            ) from None


class _AwayError(Exception):
    """Another try may help."""

    def __init__(self, error: Exception, pause_seconds: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.pause_seconds = pause_seconds


def reason_of(error: BaseException) -> str:
    """Say what is wrong with a connection, without the address, which may be a secret."""
    text = str(error.args[-1]) if error.args else ""
    words = text.rpartition(": ")[2] if "://" in text or " object at " in text else text
    return words.strip("()'\" ") or type(error).__name__


def _query(query: Optional[Query]) -> str:
    pairs = []
    for name, value in (query or {}).items():
        if value is not None:
            many = [str(value)] if isinstance(value, (str, int)) else value
            pairs += [(name, one) for one in many]
    return f"?{urlencode(pairs)}" if pairs else ""


def _json(answer: Any) -> Any:
    try:
        return json.loads(answer.data)
    except ValueError:
        return None


def _may_pass(status: int) -> bool:
    return status == 429 or (status >= 500 and status not in _NOT_IMPLEMENTED)


def _retry_after(text: str) -> float:
    if text.isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.timezone.utc)
    return max(0.0, (when - dt.datetime.now(dt.timezone.utc)).total_seconds())


def _words(url: str, answer: Any, problem: Mapping[str, Any]) -> str:
    if 300 <= answer.status < 400:
        to = str(answer.headers.get("Location", "elsewhere")).partition("?")[0]
        return f"{url} answered {answer.status}: the address should lead to {to} itself"
    lines = [str(problem.get("detail") or f"{url} answered {answer.status}")]
    if answer.status == 401:
        lines[0] += " (token= or LUPUS_TOKEN)"
    for one in problem.get("errors", ())[:_SHOWN_FIELDS]:
        place = one.get("pointer") or one.get("parameter") or ""
        if str(one.get("detail")) not in lines[0]:
            lines.append(f"  {place}: {one.get('detail')}")
    return "\n".join(lines)
