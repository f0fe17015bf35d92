"""How much one request may be, and how long what it leaves is kept."""

from pydantic import Field

from service.settings.part import Part


class Limits(Part):
    """How much one request may be, and how long what it leaves is kept."""

    max_body_mb: int = Field(
        1024, ge=1, description="Largest body of points in MiB, also after decompression."
    )
    max_upload_mb: int = Field(
        4096, ge=1, description="Largest uploaded file of points in MiB, as it was sent."
    )
    max_request_kb: int = Field(1024, ge=16, description="Largest other body in KiB.")
    inline_points: int = Field(
        10_000, ge=0, description="Up to so many points are stored before the answer."
    )
    ingest_launch_mb: int = Field(
        16,
        ge=1,
        description="Points that are so many MiB as text, or more, are stored by the executor: a "
        "process of the pool, or a workflow; fewer by the worker itself, many requests together.",
    )
    max_labels: int = Field(32, ge=1, description="Most labels of a series.")
    max_label_length: int = Field(256, ge=1, description="Longest value of a label, in characters.")
    max_range_days: int = Field(3700, ge=1, description="Longest range of a detection, in days.")
    max_series: int = Field(100_000, ge=1, description="Most series of one detection.")
    max_runs_in_flight: int = Field(
        200, ge=1, description="Most runs of one source that may wait or run; past it 429."
    )
    run_deadline_hours: float = Field(
        24.0, gt=0, description="A run that is not over after this many hours fails."
    )
    retention_index_months: int = Field(
        0,
        ge=0,
        le=1200,
        description="Whole months of anomalies, chart points and bands that the index keeps; older "
        "ones are removed once a day. 0: for ever. The archive keeps points and results.",
    )
    retention_runs_days: int = Field(
        7, ge=1, description="Days that plans and chunk results of a run are kept."
    )
    retention_audit_days: int = Field(1100, ge=30, description="Days that the audit log is kept.")
    retention_run_rows_days: int = Field(
        396, ge=8, description="Days that the records of runs and deliveries are kept."
    )
