"""The objects: everything that a run does there, done once below a name that is removed again."""

import secrets
from collections.abc import Iterator
from contextlib import suppress

from service.doctor.folders import check_folder
from service.settings import Settings
from storage.check import Finding
from storage.errors import (
    ExistsError,
    NotFoundError,
    RefusedError,
    StorageError,
    UnreachableError,
)
from storage.folder import FolderObjects
from storage.location import folder_of, scheme_of
from storage.objects import Objects
from storage.stores import open_objects

PART = "objects"
_OURS = "doctor"


def check(settings: Settings) -> Iterator[Finding]:
    """Write, read, list, remove, and that one name is created once."""
    if scheme_of(settings.objects_url) == "file":
        folder = folder_of(PART, settings.objects_url)
        yield from check_folder(PART, "folder", folder, "LUPUS_OBJECTS")
        if not folder.is_dir():
            return
    try:
        objects = open_objects(settings.stores)
    except StorageError as error:
        yield Finding(PART, "settings", "failed", str(error), "correct LUPUS_OBJECTS")
        return
    yield from check_objects(PART, objects, "LUPUS_OBJECTS")
    if isinstance(objects, FolderObjects):
        with suppress(OSError):
            (folder_of(PART, settings.objects_url) / _OURS).rmdir()


def check_objects(part: str, objects: Objects, setting: str) -> Iterator[Finding]:
    """The same for any place of objects."""
    folder = f"{_OURS}/{secrets.token_hex(8)}/"
    try:
        objects.put(f"{folder}a", b"first")
        yield Finding(part, "write", "ok")
        read = objects.get(f"{folder}a") == b"first" and list(objects.names(folder))
        yield Finding(part, "read and list", "ok" if read else "failed", "", "check the proxy")
        yield _create_twice(part, objects, f"{folder}once")
        objects.delete_prefix(folder)
        yield Finding(part, "remove", "ok")
    except StorageError as error:
        yield bucket_failure(part, error, setting)
    finally:
        with suppress(StorageError):
            objects.delete_prefix(folder)


def _create_twice(part: str, objects: Objects, name: str) -> Finding:
    objects.create(name, b"first")
    try:
        objects.create(name, b"second")
    except ExistsError:
        return Finding(part, "conditional put", "ok", "a name is created once")
    advice = (
        "use a server that honours If-None-Match, as S3 itself: without it two attempts of a run "
        "could both publish"
    )
    return Finding(part, "conditional put", "failed", "one name was created twice", advice)


def bucket_failure(part: str, error: StorageError, setting: str) -> Finding:
    """What a bucket refused, and what to do about it."""
    if isinstance(error, NotFoundError) or "NoSuchBucket" in str(error):
        advice = f"create the bucket, or correct {setting} (and LUPUS_S3_REGION)"
        return Finding(part, "bucket", "failed", str(error), advice)
    if isinstance(error, RefusedError):
        advice = (
            "check LUPUS_S3_ACCESS_KEY_ID and LUPUS_S3_SECRET_ACCESS_KEY (or its _FILE), and that "
            "this identity may list the bucket and get, put and delete objects"
        )
        return Finding(part, "credentials", "failed", str(error), advice)
    if isinstance(error, UnreachableError):
        advice = "check LUPUS_S3_ENDPOINT, LUPUS_CA_BUNDLE, and that this machine may reach it"
        return Finding(part, "reach", "failed", str(error), advice)
    return Finding(part, "use", "failed", str(error), f"correct {setting}")
