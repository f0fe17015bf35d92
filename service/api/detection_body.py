"""POST /v1/detections: the request as people write it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from service.accept import AskedDetection
from service.api.body import Body
from service.api.label_query import MOST_NAMES, Condition, body_conditions
from service.api.source_body import Duration, as_list
from service.ranges import AskedRange
from storage.series_key import LABEL_NAME_PATTERN
from storage.source import SourceSpec


def check_printable(text: str) -> str:
    """Refuse what no database, log or label of a metric keeps as it is."""
    if not text.isprintable():
        raise ValueError("allowed are printable characters only")
    return text


def check_stars(glob: str) -> str:
    """Refuse a glob that would be matched for longer than it could mean anything."""
    if glob.count("*") > _MOST_STARS:
        raise ValueError(f"allowed are up to {_MOST_STARS} * in a name")
    return glob


_MOST_STARS = 10
Name = Annotated[str, Field(min_length=1, max_length=200)]
RuleName = Annotated[Name, AfterValidator(check_printable)]
Glob = Annotated[Name, AfterValidator(check_printable), AfterValidator(check_stars)]
LabelName = Annotated[Name, Field(pattern=f"^{LABEL_NAME_PATTERN.pattern}$")]
ChannelName = Annotated[str, Field(min_length=1, max_length=63)]
Event = Literal["started", "anomaly", "withdrawn", "no_data", "succeeded", "partial", "failed"]

_EVENTS_ON: list[Event] = ["anomaly", "withdrawn", "partial", "failed"]


def _object(given: Any) -> Any:
    if not isinstance(given, dict):
        raise ValueError('allowed is an object with a type, such as {"type": "window"}')
    return given


class RangeBody(Body):
    """`last` with `align` and `delay`, or `start` and `end`."""

    last: Duration | None = Field(default=None, description="How far back from the end.")
    align: Duration | None = Field(
        default=None,
        description="The end is floored to this in the source's zone. Default: the coarsest known "
        "step of the metrics, else a day.",
    )
    delay: Duration | None = Field(
        default=None, description="Data arrives so late: the end is so long before now."
    )
    start: str | None = Field(
        default=None, description="RFC 3339 with an offset, or a bare local date; inclusive."
    )
    end: str | None = Field(default=None, description="The same; exclusive.")


class NotifyBody(Body):
    """Who is told about what."""

    channels: list[ChannelName] = Field(min_length=1)
    on: list[Event] = Field(
        default_factory=lambda: list(_EVENTS_ON),
        description="An event goes out only if the channel names it too.",
    )
    min_severity: Literal["warning", "major", "critical"] = "major"
    max_age: Duration | None = Field(
        default=None,
        description="Older anomalies are stored and not told. Default: 48 hours or two steps.",
    )
    repeat: Literal["episode", "always"] = Field(
        default="episode",
        description="`episode` speaks at its start, when it gets worse, at its end; `always` for "
        "every new anomalous point.",
    )


class DetectionBody(Body):
    """Check this metric in this range with this detector."""

    source: Name
    metric: Annotated[list[Glob], BeforeValidator(as_list)] = Field(
        min_length=1, max_length=1000, description="A name, a list, or globs with * and ?."
    )
    range: RangeBody
    detector: Annotated[dict[str, Any], BeforeValidator(_object)] = Field(
        description="`type` and its parameters: see GET /v1/detectors."
    )
    rule: RuleName | None = Field(
        default=None, description="Name of the check, unique in its source; needed to store."
    )
    labels: dict[str, Condition] = Field(
        default_factory=dict,
        max_length=MOST_NAMES,
        description='A value, a list (any of), "!value" (not it), or null (no such label).',
    )
    join: list[LabelName] = Field(
        default_factory=list,
        max_length=MOST_NAMES,
        description="Labels over which a series goes on, such as a model's version: series that "
        "differ in them only are judged as one. Of several points at one time, that of the later "
        "value counts (v10 comes after v9).",
    )
    after: list[Name] = Field(
        default_factory=list, max_length=1000, description="Ingests that must have succeeded."
    )
    notify: NotifyBody | None = None
    store: bool = Field(default=True, description="false judges without storing or notifying.")
    require_points: Literal["fail", "partial", "ignore"] = Field(
        default="partial", description="What a series without points does to the outcome."
    )


def asked(body: DetectionBody, sent: Mapping[str, Any], source: SourceSpec) -> AskedDetection:
    """The detection that a body asks for."""
    return AskedDetection(
        source=source,
        metrics=tuple(dict.fromkeys(body.metric)),
        range=AskedRange(**body.range.model_dump()),
        detector=body.detector,
        body=sent,
        rule=body.rule,
        labels=body_conditions(body.labels),
        join=tuple(sorted(set(body.join))),
        store=body.store,
        require_points=body.require_points,
        after=tuple(dict.fromkeys(body.after)),
        notify=body.notify.model_dump(exclude_none=True) if body.notify else {},
    )
