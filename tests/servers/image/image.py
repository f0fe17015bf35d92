#!/usr/bin/env python3
"""The image of this project, built from its own Dockerfile, in the test cluster.

image.py fetch|up|stop|down|status

It is built once for each content of what the Dockerfile reads: the tag is a digest of that.
"""

import hashlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.servers.kubernetes.images import (
    DEFAULT_PYTHON,
    DIGITS,
    archive_of,
    base_image,
    forget,
    image_build,
    load,
    loaded,
)

ROOT = Path(__file__).resolve().parents[3]
NAME = "lupus.test/lupus"
KEPT = 4
READ = ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE")
FOLDERS = ("requirements", "detectors", "storage", "workflows", "service")


def tag() -> str:
    digest = hashlib.sha256()
    for path in sorted(_files()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)}\0{len(content)}\0".encode() + content)
    return f"{NAME}:{digest.hexdigest()[:DIGITS]}"


def _files() -> Iterator[Path]:
    yield from filter(Path.exists, (ROOT / name for name in READ))
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def fetch() -> str:
    """Build it as an archive, and its base before; the tag, as files may change meanwhile."""
    made = tag()
    if not archive_of(made).exists():
        base_image(_python())
        image_build(made, str(ROOT))
        forget(NAME, KEPT)
    return made


def _python() -> str:
    """The version that the Dockerfile builds from."""
    found = re.search(r"^ARG PYTHON=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    return found[1] if found else DEFAULT_PYTHON


def up() -> None:
    made = fetch()
    if made not in loaded():
        load(archive_of(made))
    print(f"export LUPUS_TEST_IMAGE={made}")


def status() -> bool:
    return archive_of(tag()).exists()


def nothing() -> None:
    """An image does not run; the cluster's own end takes it along."""


VERBS: dict[str, Callable[[], object]] = {
    "fetch": fetch,
    "up": up,
    "stop": nothing,
    "down": nothing,
    "status": status,
}


def main(verb: str = "") -> None:
    if verb not in VERBS:
        raise SystemExit(__doc__)
    raise SystemExit(1 if VERBS[verb]() is False else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
