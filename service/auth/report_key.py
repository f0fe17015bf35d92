"""Keys in the links to reports: whoever follows one reads exactly that run's report, for a time.

A browser that follows a link from a message sends no token. The key in the link is a signature of
the run and of the second at which it ends, so nothing is stored and nothing else can be opened.
"""

import base64
import hmac
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from service.auth.caller import Caller, Grant
from service.auth.credentials import Credentials
from service.clock import DAY_MS, SECOND_MS, Clock
from service.database.engine import Database
from service.database.runs import get_run
from service.errors import UnauthenticatedError
from service.secret_box import SecretBox

PARAMETER = "key"
_CALLER = "link:"
_PURPOSE = "report link"
_MAC_BYTES = 16  # 128 bits: nobody guesses one, and a link stays short
_PATH = re.compile(r"/v1/detections/([0-9A-Za-z]{1,64})/report")
_KEY = re.compile(r"([1-9][0-9]{0,11})\.([A-Za-z0-9_-]{22})")


@dataclass(frozen=True)
class ReportKeys:
    """Makes and checks keys; ``life_ms`` is how long a new one opens its report."""

    box: SecretBox = field(repr=False)
    life_ms: int

    def make(self, run: str, now_ms: int) -> str:
        """The key of a run's report, for the query parameter `key`."""
        ends = (now_ms + self.life_ms) // SECOND_MS
        return f"{ends}.{self._mac(run, ends)}"

    def check(self, run: str, key: str, now_ms: int) -> None:
        """Refuse what this service did not sign for this run, and what has expired."""
        found = _KEY.fullmatch(key)
        if not found or not hmac.compare_digest(self._mac(run, int(found[1])), found[2]):
            raise UnauthenticatedError("the key of this link is not right: it may be cut off")
        if int(found[1]) * SECOND_MS <= now_ms:
            raise UnauthenticatedError(
                "this link has expired: ask with a token, or follow the link of a newer message"
            )

    def _mac(self, run: str, ends: int) -> str:
        mac = self.box.sign(_PURPOSE, f"{run} {ends}")[:_MAC_BYTES]
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")


def report_keys(box: SecretBox, life_days: int) -> ReportKeys | None:
    """Keys that live so many days; None when links are to carry none."""
    return ReportKeys(box, life_days * DAY_MS) if life_days else None


@dataclass(frozen=True)
class ReportKey:
    """``GET /v1/detections/{run}/report?key=...`` and no other request."""

    database: Database
    clock: Clock
    keys: ReportKeys

    def caller(self, given: Credentials) -> Caller | None:
        path = _PATH.fullmatch(given.path)
        asked = parse_qs(given.query).get(PARAMETER)
        if given.method != "GET" or path is None or asked is None:
            return None
        self.keys.check(path[1], asked[0], self.clock.now_ms())
        with self.database.read() as tx:
            run = get_run(tx, path[1])
        sources = () if run is None else (run.source,)
        grant = Grant(sources, frozenset({"read"}))
        return Caller(f"{_CALLER}{path[1]}", (grant,))


def came_by_link(caller: Caller) -> bool:
    """Whether the caller has nothing but the key of one report."""
    return caller.name.startswith(_CALLER)
