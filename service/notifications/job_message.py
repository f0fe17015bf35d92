"""What a pipeline's own events say: its run started, succeeded or failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from service.notifications.message import Data, rfc3339
from service.notifications.wording import clipped, local

JobState = Literal["started", "succeeded", "failed"]
_TITLES: Mapping[JobState, str] = {
    "started": "Started: {}",
    "succeeded": "Succeeded: {}",
    "failed": "Failed: {}",
}
_SHORT, _LONG = 300, 2_000


@dataclass(frozen=True)
class JobSaid:
    """What a pipeline said of one of its runs."""

    pipeline: str
    run: str
    state: JobState
    time_ms: int
    labels: Mapping[str, str]
    message: str
    links: Mapping[str, str]
    duration_seconds: float | None = None


def job_data(source: str, timezone: str, body: Mapping[str, Any], said: JobSaid) -> Data:
    """The content of a message; ``body`` is the source's."""
    owner = {
        name: clipped(str(text), _SHORT) for name, text in dict(body.get("owner") or {}).items()
    }
    name = clipped(str(body.get("display_name") or source), _SHORT)
    title = _TITLES[said.state].format(f"pipeline {said.pipeline} of {name}")
    sentences = _sentences(said, timezone)
    about: Data = {
        "name": said.pipeline,
        "run": said.run,
        "state": said.state,
        "time": rfc3339(said.time_ms),
        "labels": dict(said.labels),
        "message": clipped(said.message, _LONG),
    }
    if said.duration_seconds is not None:
        about["duration_seconds"] = said.duration_seconds
    links = {str(key): str(url) for key, url in dict(body.get("links") or {}).items()}
    return {
        "title": title,
        "text": f"{title}. {sentences[-1]}",
        "sentences": sentences,
        "closing": [],
        "footer": f"Told by the pipeline itself, run {said.run}",
        "mention": owner.get("mention", ""),
        "source": {"name": source, "display_name": name, "timezone": timezone, "owner": owner},
        "links": {**links, **said.links},
        "pipeline": about,
    }


def _sentences(said: JobSaid, timezone: str) -> list[str]:
    at = local(said.time_ms, timezone)
    took = "" if said.duration_seconds is None else f", after {_duration(said.duration_seconds)}"
    labels = "".join(f", {name} {value}" for name, value in sorted(said.labels.items()))
    first = (
        f"Run {said.run}{labels}: {said.state} at {at:%H:%M} on {at:%a} {at.day} {at:%b %Y}{took}."
    )
    return [first, clipped(said.message, _LONG)] if said.message else [first]


def _duration(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{seconds:.3g} s"
