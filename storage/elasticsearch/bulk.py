"""Many writes in few requests, with what became of each of them."""

import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from elasticsearch import BadRequestError, Elasticsearch

from storage.elasticsearch.client import Session
from storage.elasticsearch.errors import cause_of, of_answer
from storage.errors import CorruptError, FullError

DOCUMENTS_PER_REQUEST = 1_000
BYTES_PER_REQUEST = 10_000_000

_RETRIES = 5
_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 60.0
_AGAIN = (429, 502, 503, 504)

CONFLICT = 409
MISSING = 404


@dataclass(frozen=True)
class Action:
    """One line of a bulk: what to do with which document, and under which guard."""

    do: Literal["create", "index", "update", "delete"]
    index: str
    id: str
    body: Mapping[str, Any] | None = None
    guard: Mapping[str, Any] = field(default_factory=dict)

    def lines(self) -> bytes:
        """As Elasticsearch reads it."""
        head: dict[str, Any] = {self.do: {"_index": self.index, "_id": self.id, **self.guard}}
        return _line(head) + (b"" if self.body is None else _line(self.body))


_Prepared = tuple[Action, bytes]


def _line(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


def send(session: Session, actions: Iterable[Action]) -> Iterator[tuple[Action, int]]:
    """Each action with its status: below 300 done, CONFLICT or MISSING; anything else raises.

    Answers that a server could not give yet are asked for again. A lost connection raises:
    what was sent may be done in part, and the same actions again are exact.
    """
    for some in _requests(actions):
        waiting: Sequence[_Prepared] = some
        for turn in range(_RETRIES + 1):
            again, missing = [], set()
            for prepared, answer in zip(waiting, _ask(session, waiting), strict=True):
                if turn < _RETRIES and _is_worth_another(prepared[0], answer):
                    again.append(prepared)
                    if answer["status"] == MISSING:
                        missing.add(prepared[0].index)
                else:
                    yield prepared[0], _status(session, prepared[0], answer)
            if not again:
                break
            waiting = again
            _make(session, missing)
            if len(missing) < len({action.index for action, _ in again}):
                wait(turn)


def wait(turn: int) -> None:
    """Wait longer each turn, and not as long as somebody else who was refused at once."""
    longest = min(_FIRST_WAIT_SECONDS * 2**turn, _LONGEST_WAIT_SECONDS)
    time.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 - spreads, hides nothing


def _requests(actions: Iterable[Action]) -> Iterator[list[_Prepared]]:
    some: list[_Prepared] = []
    size = 0
    for action in actions:
        lines = action.lines()
        if some and (len(some) == DOCUMENTS_PER_REQUEST or size + len(lines) > BYTES_PER_REQUEST):
            yield some
            some, size = [], 0
        some.append((action, lines))
        size += len(lines)
    if some:
        yield some


def _ask(session: Session, some: Sequence[_Prepared]) -> list[Mapping[str, Any]]:
    # Encoded once, to know their size: the client sends bytes as they are.
    lines: list[Any] = [lines for _, lines in some]
    answer = session.ask(lambda client: client.bulk(operations=lines).body)
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list) or len(items) != len(some):
        raise CorruptError(f"index {session.shown}: answers a bulk without one line for each")
    return [next(iter(item.values())) for item in items]


def _is_worth_another(action: Action, answer: Mapping[str, Any]) -> bool:
    if answer["status"] == MISSING:
        # The server makes indices by itself, unless an operator forbade that.
        return action.do in ("create", "index")
    full = isinstance(of_answer("", answer["status"], answer), FullError)
    return answer["status"] in _AGAIN and not full


def _make(session: Session, indices: Iterable[str]) -> None:
    for index in sorted(indices):
        session.ask(lambda client, index=index: make_index(client, index))  # type: ignore[misc]


def make_index(client: Elasticsearch, index: str) -> None:
    """Create an index, whose template says all about it, unless it is there."""
    try:
        client.indices.create(index=index)
    except BadRequestError as error:
        if "resource_already_exists" not in cause_of(error.body):
            raise


def _status(session: Session, action: Action, answer: Mapping[str, Any]) -> int:
    status = int(answer["status"])
    if status < 300 or status in (CONFLICT, MISSING):
        return status
    error = of_answer(session.shown, status, answer)
    raise type(error)(f"{error} (document {action.id} of {action.index})")
