"""Names, labels and annotations of a workflow: everybody can tell them from the run alone."""

import hashlib
import json
import re

from workflows.codec import dump, to_plain
from workflows.request import REQUEST_FORMAT, IngestRequest, RunRequest

RUN, ATTEMPT, SOURCE, KIND = "lupus/run", "lupus/attempt", "lupus/source", "lupus/kind"
HASH, TRACE, STOPPED = "lupus/request-hash", "lupus/traceparent", "lupus/stopped-at"
MANAGED = {"app.kubernetes.io/name": "lupus", "app.kubernetes.io/managed-by": "lupus-server"}
INSTANCE = "workflows.argoproj.io/controller-instanceid"
COMPLETED = "workflows.argoproj.io/completed"
TITLE, DESCRIPTION = "workflows.argoproj.io/title", "workflows.argoproj.io/description"

LONGEST = 63  # of a label's value, which the name becomes
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
Request = RunRequest | IngestRequest


def id_of(request: Request) -> str:
    """The run of a detection, the job of an ingest."""
    return request.run if isinstance(request, RunRequest) else request.job


def source_of(request: Request) -> str:
    """The source's name."""
    return request.source.name if isinstance(request, RunRequest) else request.source


def kind_of(request: Request) -> str:
    """The word in the middle of a workflow's name."""
    return "detection" if isinstance(request, RunRequest) else "ingest"


def workflow_name(kind: str, run: str, attempt: int) -> str:
    """``lupus-<kind>-<run>-<attempt>``; an id that no object may have becomes its hash."""
    plain = re.sub(r"[^a-z0-9-]", "-", run.lower()).strip("-")
    name = f"lupus-{kind}-{plain}-{attempt}"
    if plain == run and len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(run.encode()).hexdigest()[:16]
    room = LONGEST - len(f"lupus-{kind}--{digest}-{attempt}")
    return f"lupus-{kind}-{plain[:room].strip('-')}-{digest}-{attempt}".replace("--", "-")


def label_value(text: str) -> str:
    """The text where a label may say it, else its hash."""
    if len(text) <= LONGEST and _LABEL.fullmatch(text):
        return text
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def request_hash(request: Request) -> str:
    """Tells two requests of one name apart."""
    if isinstance(request, RunRequest):
        return hashlib.sha256(dump(request, REQUEST_FORMAT)).hexdigest()
    # Its own ``format`` is a field like any other.
    content = json.dumps(to_plain(request), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
