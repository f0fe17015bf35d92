"""A token gets a new secret, and whoever uses the one before goes on for a while."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.auth.caller import Caller
from service.auth.credentials import Credentials
from service.auth.issue import change_token, issue_token, revoke_token
from service.auth.last_use import LastUse, noting_uses
from service.auth.rotate import rotate_token
from service.auth.ways import BearerToken
from service.clock import DAY_MS, HOUR_MS
from service.database.audit import AuditFilter, list_changes
from service.database.engine import Database
from service.database.tokens import Token, get_token
from service.errors import ConflictError, RequestError, UnauthenticatedError, UnknownError
from tests.service.clocks import TurnedClock
from tests.service.databases import KINDS, opened


@dataclass
class Desk:
    """Where tokens are made, shown and rotated."""

    database: Database
    clock: TurnedClock
    uses: LastUse
    way: BearerToken

    def issue(self, life_ms: int | None = None) -> tuple[str, str]:
        now_ms = self.clock.now_ms()
        end_ms = None if life_ms is None else now_ms + life_ms
        token, secret = issue_token(self.database, "job", ["a"], ["read"], end_ms, now_ms, "ann")
        return token.id, secret

    def rotate(self, id_: str, overlap_ms: int = DAY_MS, shown: str = "") -> str:
        """A new secret, a minute after whatever was before."""
        self.clock.advance(60_000)
        now_ms = self.clock.now_ms()
        return rotate_token(self.database, id_, overlap_ms, now_ms, "ann", shown)[1]

    def show(self, secret: str) -> Caller:
        headers = {"authorization": f"Bearer {secret}"}
        caller = self.way.caller(Credentials(headers, "10.0.0.1"))
        assert caller is not None
        self.uses.flush()
        return caller

    def holds(self, secret: str) -> bool:
        try:
            self.show(secret)
        except UnauthenticatedError:
            return False
        return True

    def token(self, id_: str) -> Token:
        with self.database.read() as tx:
            found = get_token(tx, id_)
        assert found is not None
        return found


@pytest.fixture(params=KINDS)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    with opened(request.param, tmp_path) as database, noting_uses(database) as uses:
        clock = TurnedClock()
        yield Desk(database, clock, uses, BearerToken(database, clock, uses))


def test_the_secret_before_holds_for_the_overlap_and_both_are_one_caller(desk: Desk) -> None:
    id_, old = desk.issue()
    new = desk.rotate(id_, 2 * HOUR_MS)
    assert desk.show(old).name == desk.show(new).name == f"token:{id_}"
    desk.clock.advance(2 * HOUR_MS - 1)
    assert desk.holds(old)
    desk.clock.advance(1)
    assert not desk.holds(old)
    assert desk.holds(new)


def test_an_overlap_of_nothing_ends_every_secret_before_at_once(desk: Desk) -> None:
    id_, first = desk.issue()
    second = desk.rotate(id_)
    third = desk.rotate(id_, 0)
    assert [desk.holds(one) for one in (first, second, third)] == [False, False, True]


def test_a_lost_answer_locks_nobody_out(desk: Desk) -> None:
    id_, old = desk.issue()
    lost = desk.rotate(id_)
    again = desk.rotate(id_, shown=desk.show(old).secret_hash)
    assert [desk.holds(one) for one in (old, lost, again)] == [True, False, True]


def test_a_third_secret_is_refused_while_two_are_in_use(desk: Desk) -> None:
    id_, old = desk.issue()
    new = desk.rotate(id_)
    desk.show(new)
    with pytest.raises(ConflictError, match="two secrets that hold until"):
        desk.rotate(id_)
    assert desk.holds(old)
    assert desk.holds(new)
    desk.clock.advance(DAY_MS)
    newest = desk.rotate(id_)
    assert [desk.holds(one) for one in (old, new, newest)] == [False, True, True]


def test_the_secret_that_asks_is_in_use_also_before_that_was_written(desk: Desk) -> None:
    id_, old = desk.issue()
    new = desk.rotate(id_)
    shown = desk.show(new).secret_hash
    with desk.database.write() as tx:
        from service.database.tokens import update_token

        update_token(tx, id_, {"last_used_ms": None})
    with pytest.raises(ConflictError):
        desk.rotate(id_, shown=shown)
    assert desk.holds(old)
    assert desk.holds(new)


def test_of_two_that_rotate_at_once_one_wins_and_the_other_is_told_to_wait(desk: Desk) -> None:
    id_, old = desk.issue()
    desk.clock.advance(60_000)
    now_ms = desk.clock.now_ms()
    won: list[str] = []
    lost: list[str] = []
    start = threading.Barrier(4)

    def rotate() -> None:
        start.wait()
        try:
            won.append(rotate_token(desk.database, id_, DAY_MS, now_ms, "ann")[1])
        except ConflictError as error:
            lost.append(str(error))

    threads = [threading.Thread(target=rotate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(lost) == 3
    assert "a moment ago" in lost[0]
    assert desk.holds(won[0])
    assert desk.holds(old)


def test_revoking_and_expiring_end_both_secrets(desk: Desk) -> None:
    id_, old = desk.issue(3 * DAY_MS)
    new = desk.rotate(id_, 7 * DAY_MS)
    assert desk.show(old).expires_ms == desk.show(new).expires_ms == desk.token(id_).expires_ms
    desk.clock.advance(3 * DAY_MS)
    assert not desk.holds(old)
    assert not desk.holds(new)
    with pytest.raises(ConflictError, match="has expired"):
        desk.rotate(id_)
    other, old = desk.issue()
    new = desk.rotate(other)
    revoke_token(desk.database, other, desk.clock.now_ms(), "ann")
    revoke_token(desk.database, other, desk.clock.now_ms(), "ann")
    assert not desk.holds(old)
    assert not desk.holds(new)
    with pytest.raises(ConflictError, match="was revoked"):
        desk.rotate(other)
    with pytest.raises(ConflictError, match="was revoked"):
        change_token(desk.database, other, {"expires_ms": None}, desk.clock.now_ms(), "ann")


def test_what_is_refused(desk: Desk) -> None:
    id_, old = desk.issue()
    with pytest.raises(UnknownError, match="does not exist"):
        desk.rotate("nothing")
    with pytest.raises(RequestError, match="at most 30d"):
        desk.rotate(id_, 31 * DAY_MS)
    assert desk.token(id_).previous_hash is None
    assert desk.holds(old)


def test_each_secret_has_its_own_last_use(desk: Desk) -> None:
    id_, old = desk.issue()
    desk.show(old)
    first_ms = desk.clock.now_ms()
    assert desk.token(id_).last_used_ms == first_ms
    new = desk.rotate(id_)
    token = desk.token(id_)
    assert (token.previous_used_ms, token.last_used_ms) == (first_ms, None)
    desk.show(new)
    desk.clock.advance(60_000)
    desk.show(old)
    token = desk.token(id_)
    assert token.last_used_ms == desk.clock.now_ms() - 60_000
    assert token.previous_used_ms == desk.clock.now_ms()


def test_the_log_says_who_rotated_and_holds_no_secret(desk: Desk) -> None:
    id_, old = desk.issue()
    new = desk.rotate(id_)
    with desk.database.read() as tx:
        entries = list_changes(tx, 10, AuditFilter(object=id_))
    assert [(one.action, one.caller) for one in entries] == [
        ("token.rotate", "ann"),
        ("token.create", "ann"),
    ]
    token = desk.token(id_)
    for secret in (old, new, token.hash, token.previous_hash):
        assert str(secret) not in str(entries)
