"""PUT /v1/sources/{source}: a source as people describe it, and as the stores see it."""

from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    model_validator,
)

from service.api.body import Body
from service.database.sources import Source
from service.duration import duration_ms
from storage.errors import InvalidError
from storage.series_key import check_metric
from storage.source import ExternalMapping, PartitionColumn, SourceSpec, TimeColumns


def _timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not a time zone: give an IANA name such as Asia/Tokyo")
    return ZoneInfo(name).key


def _duration(text: str) -> str:
    duration_ms(text)
    return text


def _metric_name(name: str) -> str:
    try:
        return check_metric(name)
    except InvalidError as error:
        raise ValueError(str(error)) from None


def as_list(value: Any) -> Any:
    """One text where a list of texts is meant."""
    return [value] if isinstance(value, str) else value


Timezone = Annotated[str, AfterValidator(_timezone)]
Duration = Annotated[
    str,
    AfterValidator(_duration),
    Field(description="A number and a unit: ms, s, m, h, d or w.", examples=["7d"]),
]
Text = Annotated[str, Field(max_length=2000)]
Column = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]
Link = Annotated[str, Field(pattern=r"^https?://", max_length=2000)]


class MetricBody(Body):
    """How a metric is shown, and what its values are."""

    display_name: Text = ""
    unit: Text = ""
    format: Annotated[str, Field(pattern=r"^[0#,.%]*$")] = Field(
        default="", description="Digits of values in messages: `0.000`, `#,##0`, `0.0%`."
    )
    good: Literal["up", "down", "none"] = Field(
        default="none", description="The good direction: `up` makes detectors watch for drops."
    )
    step: Duration | None = Field(default=None, description="Distance between points.")
    clip: list[float] | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="Values never lie outside [from, to]: "
        "bands of detectors that ask for the metric by name stay within it.",
    )

    @model_validator(mode="after")
    def _clip_rises(self) -> Self:
        if self.clip and self.clip[0] >= self.clip[1]:
            raise ValueError("clip: the first value must be below the second")
        return self


class OwnerBody(Body):
    """Who answers for the source."""

    team: Text = ""
    mention: Text = Field(default="", description="How messages call them: `@rec-oncall`.")


class _SourceBody(Body):
    timezone: Timezone = Field(
        default="UTC", description="Decides days, seasons, grids and dates in messages."
    )
    display_name: Text = ""
    owner: OwnerBody = OwnerBody()
    links: dict[str, Link] = Field(default_factory=dict)
    metrics: dict[Annotated[str, AfterValidator(_metric_name)], MetricBody] = Field(
        default_factory=dict
    )

    def steps_ms(self) -> dict[str, int]:
        """The steps that were declared."""
        return {name: duration_ms(m.step) for name, m in self.metrics.items() if m.step}

    def shown(self) -> dict[str, dict[str, Any]]:
        """Facts of metrics without what was left out."""
        return {
            name: metric.model_dump(exclude_unset=True) for name, metric in self.metrics.items()
        }


class ManagedBody(_SourceBody):
    """Lupus stores the points."""

    kind: Literal["managed"] = "managed"

    def spec(self, name: str) -> SourceSpec:
        """As the stores see it."""
        return SourceSpec(name, self.timezone, None, self.steps_ms(), self.shown())


class TimeBody(Body):
    """How rows tell their time."""

    columns: Annotated[list[Column], BeforeValidator(as_list)] = Field(min_length=1)
    kind: Literal["epoch_s", "epoch_ms", "timestamp", "date", "string"] | None = Field(
        default=None, description="Default: `string` with a format, else `timestamp`."
    )
    format: str | None = Field(default=None, description="strptime's letters, for kind string.")

    @model_validator(mode="after")
    def _format_fits_kind(self) -> Self:
        if self.kind == "string" and not self.format:
            raise ValueError("kind string needs a format such as %Y%m%d")
        if self.format and self.kind not in (None, "string"):
            raise ValueError(f"a format goes with kind string, not {self.kind}")
        return self


class PartitionBody(Body):
    """A partition column whose values are local dates."""

    column: Column
    format: str = "%Y-%m-%d"


class ExternalBody(_SourceBody):
    """A mapping onto somebody's own table, which is only read."""

    kind: Literal["external"]
    connection: str = Field(description="A name in the connections file.")
    table: str = Field(description="A folder of Parquet files below the connection's.")
    time: TimeBody
    metric_column: Column | None = None
    metric: Annotated[str, AfterValidator(_metric_name)] | None = Field(
        default=None, description="The metric's name, when no column holds it."
    )
    value_column: Column | None = None
    value_columns: list[Column] = Field(
        default_factory=list, description="Wide tables: each column is a metric."
    )
    label_columns: list[Column] = Field(default_factory=list)
    partitions: list[PartitionBody] = Field(default_factory=list)
    ordering_column: Column | None = Field(
        default=None,
        description="Of two rows of one series and time the one with the larger value wins.",
    )
    where: str | None = Field(default=None, description="A fixed condition on rows, as SQL.")

    @model_validator(mode="after")
    def _long_or_wide(self) -> Self:
        if bool(self.value_column) == bool(self.value_columns):
            raise ValueError("give value_column (long tables) or value_columns (wide), one of them")
        if self.value_column and bool(self.metric_column) == bool(self.metric):
            raise ValueError("value_column goes with metric_column or with metric, one of them")
        if self.value_columns and (self.metric_column or self.metric):
            raise ValueError("value_columns are the metrics: leave metric_column and metric out")
        return self

    def spec(self, name: str) -> SourceSpec:
        """As the stores see it."""
        kind = self.time.kind or ("string" if self.time.format else "timestamp")
        mapping = ExternalMapping(
            connection=self.connection,
            table=self.table,
            time=TimeColumns(tuple(self.time.columns), kind, self.time.format),
            value_column=self.value_column,
            metric_column=self.metric_column,
            metric=self.metric,
            value_columns=tuple(self.value_columns),
            label_columns=tuple(self.label_columns),
            partitions=tuple(PartitionColumn(p.column, p.format) for p in self.partitions),
            ordering_column=self.ordering_column,
            where=self.where,
        )
        return SourceSpec(name, self.timezone, mapping, self.steps_ms(), self.shown())


def _kind(value: Any) -> str:
    """Which of the two a body is: managed unless it says otherwise."""
    if isinstance(value, dict):
        return str(value.get("kind", "managed"))
    return str(getattr(value, "kind", "managed"))


AnySource = Annotated[
    Annotated[ManagedBody, Tag("managed")] | Annotated[ExternalBody, Tag("external")],
    Discriminator(_kind),
]

_ANY: TypeAdapter[ManagedBody | ExternalBody] = TypeAdapter(AnySource)


def spec_of(source: Source) -> SourceSpec:
    """A stored source as the stores see it."""
    return _ANY.validate_python(dict(source.body)).spec(source.name)
