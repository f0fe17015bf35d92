"""What can be told: the events, the severities, and what a run asks to be told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from service.clock import HOUR_MS
from service.duration import duration_ms

Event = Literal["started", "anomaly", "withdrawn", "no_data", "succeeded", "partial", "failed"]
EVENTS: tuple[Event, ...] = get_args(Event)
# What a pipeline says of its own runs; no detection names them.
JobEvent = Literal["job_started", "job_succeeded", "job_failed"]
JOB_EVENTS: tuple[JobEvent, ...] = get_args(JobEvent)
DEFAULT_ON: tuple[Event, ...] = ("anomaly", "withdrawn", "partial", "failed")
SEVERITIES = ("warning", "major", "critical")
_LEAST_AGE_MS = 48 * HOUR_MS
_AGE_STEPS = 2


def rank(severity: str) -> int:
    """Orders severities; what is none comes first."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


@dataclass(frozen=True)
class NotifyRules:
    """Who a run tells what, as its request says."""

    channels: tuple[str, ...] = ()
    on: tuple[str, ...] = DEFAULT_ON
    min_severity: str = "major"
    max_age_ms: int = _LEAST_AGE_MS
    repeat: Literal["episode", "always"] = "episode"

    @classmethod
    def of(cls, notify: Mapping[str, Any]) -> "NotifyRules":
        """Read what was stored with the run."""
        max_age = notify.get("max_age")
        return cls(
            channels=tuple(dict.fromkeys(notify.get("channels", ()))),
            on=tuple(notify.get("on", DEFAULT_ON)),
            min_severity=notify.get("min_severity", "major"),
            max_age_ms=_LEAST_AGE_MS if max_age is None else duration_ms(max_age),
            repeat=notify.get("repeat", "episode"),
        )

    def oldest_ms(self, accepted_ms: int, step_ms: int | None) -> int:
        """Anomalies before this are history: at least two steps are news."""
        return accepted_ms - max(self.max_age_ms, _AGE_STEPS * (step_ms or 0))
