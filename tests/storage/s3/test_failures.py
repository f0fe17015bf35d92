"""What a bucket does to its callers when the server, the network or the disk fails."""

import random
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from storage.errors import (
    BusyError,
    ExistsError,
    FullError,
    InvalidError,
    NotFoundError,
    RefusedError,
    StorageError,
    UnreachableError,
)
from storage.s3 import store as opening
from storage.s3.objects import S3Objects, check_conditional_puts
from storage.secret import Secret
from storage.settings import S3Settings
from tests.storage.s3.bucket import Bucket, unconditional, with_secret
from tests.storage.s3.proxy import Answer, Call, Forward, proxy, slow_down
from workflows.commits import Attempt, read_commit

pytestmark = pytest.mark.real

CALLS: dict[str, Callable[[S3Objects], object]] = {
    "get": lambda objects: objects.get("a"),
    "put": lambda objects: objects.put("a", b"1"),
    "create": lambda objects: objects.create("a", b"1"),
    "path": lambda objects: objects.local_path("a"),
    "names": lambda objects: list(objects.names("")),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def refused(objects: S3Objects, call: Callable[[S3Objects], object]) -> StorageError:
    with pytest.raises(StorageError) as caught:
        call(objects)
    return caught.value


@every_call
def test_wrong_credentials_and_buckets_are_refused_for_good(
    bucket: Bucket, tmp_path: Path, call: Callable[[S3Objects], object]
) -> None:
    secret = replace(bucket.s3, secret_access_key=Secret("wrong-secret"))
    key = replace(bucket.s3, access_key_id="nobody")
    elsewhere = f"s3://no-such-bucket/{bucket.url.rpartition('/')[2]}"
    for url, settings, words in (
        (bucket.url, secret, "SignatureDoesNotMatch"),
        (bucket.url, key, "InvalidAccessKeyId"),
        (elsewhere, bucket.s3, "NoSuchBucket"),
    ):
        error = refused(S3Objects(url, settings, tmp_path), call)
        # HEAD has no body, so the server cannot say which of them it is.
        if call is not CALLS["path"]:
            assert words in str(error)
            assert isinstance(error, RefusedError)
        assert not error.transient
        assert "wrong-secret" not in str(error)
        assert "Signature=" not in str(error)


@every_call
def test_a_server_that_is_down_is_worth_another_try(
    bucket: Bucket, tmp_path: Path, call: Callable[[S3Objects], object]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        error = refused(S3Objects(bucket.url, bucket.through(endpoint), tmp_path), call)
    assert isinstance(error, UnreachableError)


def test_a_server_that_never_answers_is_given_up(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_SILENCE", timedelta(milliseconds=200))
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(64)
        endpoint = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        objects = S3Objects(bucket.url, bucket.through(endpoint), tmp_path)
        for call in (CALLS["get"], CALLS["create"]):
            assert isinstance(refused(objects, call), UnreachableError)


@every_call
def test_a_server_that_is_always_busy_is_busy(
    bucket: Bucket, tmp_path: Path, call: Callable[[S3Objects], object]
) -> None:
    with proxy(bucket.s3.endpoint, lambda _call, _forward: slow_down()) as endpoint:
        error = refused(S3Objects(bucket.url, bucket.through(endpoint), tmp_path), call)
    assert isinstance(error, BusyError)


def test_with_one_call_in_ten_refused_everything_is_exact(bucket: Bucket, tmp_path: Path) -> None:
    chance, lock, counts = random.Random(7), threading.Lock(), {"refused": 0, "all": 0}

    def one_in_ten(call: Call, forward: Forward) -> Answer | None:
        with lock:
            counts["all"] += 1
            refuse = chance.random() < 0.1
            counts["refused"] += refuse
        return slow_down() if refuse else forward(call)

    with proxy(bucket.s3.endpoint, one_in_ten) as endpoint:
        objects = S3Objects(bucket.url, bucket.through(endpoint), tmp_path / "scratch")

        def work(number: int) -> int:
            objects.put(f"runs/{number}/file", str(number).encode())
            objects.create(f"runs/{number}/marker", b"first")
            with pytest.raises(ExistsError):
                objects.create(f"runs/{number}/marker", b"second")
            return int(objects.local_path(f"runs/{number}/file").read_bytes())

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(work, range(60))) == list(range(60))
        assert len(list(objects.names("runs/"))) == 120
        (tmp_path / "large").write_bytes(random.Random(1).randbytes(30_000_000))
        objects.put_file("large", tmp_path / "large")
        assert objects.local_path("large").read_bytes() == (tmp_path / "large").read_bytes()
        assert objects.delete_prefix("runs/") == 120
        assert list(objects.names("")) == ["large"]
    assert counts["refused"] > 10


def test_a_commit_whose_answer_was_lost_counts_as_ours(bucket: Bucket, tmp_path: Path) -> None:
    markers = []

    def lose_first(call: Call, forward: Forward) -> Answer | None:
        answer = forward(call)
        if call.method == "PUT" and call.path.endswith("plan.json"):
            markers.append(answer.status)
            return None if len(markers) == 1 else answer
        return answer

    with proxy(bucket.s3.endpoint, lose_first) as endpoint:
        objects = S3Objects(bucket.url, bucket.through(endpoint), tmp_path)
        attempt = Attempt(objects, "runs/r", "plan")
        name = attempt.put("keys", b"abc")
        mine = attempt.commit("plan.json", {"n": 1})
        late = Attempt(objects, "runs/r", "plan").commit("plan.json", {"n": 2})
    assert markers[:2] == [200, 412]
    assert mine.nonce == attempt.nonce == late.nonce
    direct = S3Objects(bucket.url, bucket.s3, tmp_path)
    stored = read_commit(direct, "runs/r/plan.json")
    assert stored is not None
    assert stored.bytes(direct, name) == b"abc"


def test_conditional_puts_are_found_where_they_work(bucket: Bucket, tmp_path: Path) -> None:
    objects = S3Objects(bucket.url, bucket.s3, tmp_path)
    check_conditional_puts(objects)
    assert list(objects.names("")) == []


def test_a_server_without_conditional_puts_is_refused(bucket: Bucket, tmp_path: Path) -> None:
    with proxy(bucket.s3.endpoint, unconditional(bucket)) as endpoint:
        objects = S3Objects(bucket.url, bucket.through(endpoint), tmp_path)
        with pytest.raises(InvalidError, match="conditional puts"):
            check_conditional_puts(objects)
    assert list(S3Objects(bucket.url, bucket.s3, tmp_path).names("")) == []


def test_an_answer_that_is_cut_off_is_never_taken_for_the_object(
    bucket: Bucket, tmp_path: Path
) -> None:
    S3Objects(bucket.url, bucket.s3, tmp_path).put("a", b"x" * 3_000_000)

    def cut(call: Call, forward: Forward) -> Answer | None:
        answer = forward(call)
        half = answer.body[: len(answer.body) // 2]
        return Answer(answer.status, [*answer.headers, ("Connection", "close")], half)

    with proxy(bucket.s3.endpoint, cut) as endpoint:
        settings: S3Settings = bucket.through(endpoint)
        objects = S3Objects(bucket.url, settings, tmp_path / "scratch")
        for call in (CALLS["get"], CALLS["path"]):
            assert isinstance(refused(objects, call), UnreachableError)
    assert [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()] == []


def test_a_full_disk_says_so_and_leaves_nothing(bucket: Bucket, small_disk: Path) -> None:
    objects = S3Objects(bucket.url, bucket.s3, small_disk)
    objects.put("large", b"x" * 3_000_000)
    objects.put("small", b"x")
    with pytest.raises(FullError, match="large"):
        objects.local_path("large")
    assert objects.local_path("small").read_bytes() == b"x"


def test_a_secret_that_is_changed_between_two_calls_costs_no_call(
    bucket: Bucket, tmp_path: Path
) -> None:
    """The file still has the old one when the server knows the new one only: a short wait."""
    good = bucket.s3.secret_access_key.read()
    file = tmp_path / "secret"
    objects = S3Objects(bucket.url, with_secret(bucket.s3, file, "old"), tmp_path)
    threading.Timer(0.5, lambda: file.write_text(good)).start()
    objects.put("a", b"1")
    assert objects.get("a") == b"1"
    with pytest.raises(NotFoundError):
        objects.get("b")
