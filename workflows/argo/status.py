"""What Argo says of a workflow. Its phase is a hint: the truth of a run is in its commits."""

import base64
import binascii
import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ENDED_PHASES = ("Succeeded", "Failed", "Error")
_FAILED_PHASES = ("Failed", "Error")
_STARTING = ("PodInitializing", "ContainerCreating")  # every pod says so for a while
_TRY = re.compile(r"\((\d+)\)$")
_SHUTDOWN = ("workflow shutdown", "Stopped with strategy", "terminated")


@dataclass(frozen=True)
class Node:
    """One pod of a workflow, as its controller remembers it."""

    id: str
    step: str
    name: str  # as people see it: detect(3:3)(1)
    phase: str
    message: str = ""
    exit_code: int | None = None
    chunk: int | None = None

    @property
    def attempt(self) -> int:
        """Tries before this one."""
        found = _TRY.search(self.name)
        return int(found.group(1)) if found else 0

    @property
    def failed(self) -> bool:
        """Whether it ended badly by itself, not because its workflow was told to end."""
        stopped = any(word in self.message for word in _SHUTDOWN)
        return self.phase in _FAILED_PHASES and not stopped


@dataclass(frozen=True)
class Seen:
    """One look at a workflow."""

    name: str
    version: str
    uid: str = ""
    phase: str = ""
    message: str = ""
    shutdown: str = ""
    nodes: Sequence[Node] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.phase in ENDED_PHASES

    @property
    def waiting_for(self) -> str:
        """Why pods do not start, if they do not; empty otherwise."""
        pending = [
            node
            for node in self.nodes
            if node.phase == "Pending" and node.message and node.message not in _STARTING
        ]
        if not pending:
            return "" if self.phase else "no controller of Argo has taken the workflow up yet"
        first = pending[0]
        more = f" (and {len(pending) - 1} more pods)" if len(pending) > 1 else ""
        return f"{first.name} waits: {first.message}{more}"


def seen(content: Mapping[str, Any]) -> Seen:
    """The object as the API gave it."""
    metadata, status = content["metadata"], content.get("status") or {}
    return Seen(
        name=metadata["name"],
        version=metadata.get("resourceVersion", ""),
        uid=metadata.get("uid", ""),
        phase=status.get("phase") or "",
        message=status.get("message") or "",
        shutdown=content.get("spec", {}).get("shutdown") or "",
        nodes=tuple(_pods(_nodes(status))),
        annotations=metadata.get("annotations") or {},
    )


def _nodes(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """Argo compresses them above a megabyte, and may keep them elsewhere: then there are none."""
    packed = status.get("compressedNodes")
    if not packed:
        return status.get("nodes") or {}
    try:
        content = json.loads(gzip.decompress(base64.b64decode(packed)))
    except (binascii.Error, OSError, EOFError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _pods(nodes: Mapping[str, Any]) -> Iterator[Node]:
    for node in nodes.values():
        if node.get("type") != "Pod":
            continue
        yield Node(
            id=node.get("id", ""),
            step=node.get("templateName", ""),
            name=node.get("displayName", ""),
            phase=node.get("phase", ""),
            message=node.get("message", ""),
            exit_code=_number((node.get("outputs") or {}).get("exitCode")),
            chunk=_chunk((node.get("inputs") or {}).get("parameters") or ()),
        )


def _chunk(parameters: Sequence[Mapping[str, Any]]) -> int | None:
    for parameter in parameters:
        if parameter.get("name") == "chunk":
            return _number(parameter.get("value"))
    return None


def _number(text: object) -> int | None:
    try:
        return int(str(text))
    except ValueError:
        return None
