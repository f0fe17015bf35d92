"""Spans of what a run does, for those who follow traces.

Nothing is imported and nothing is measured unless a standard variable says where spans go, and
`lupus-server[otel]` is installed. One trace goes through a request, its run, its steps in other
processes and its messages: its `traceparent` (W3C Trace Context) travels with each of them.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_DELAY = "OTEL_BSP_SCHEDULE_DELAY"
_DELAY_MS = 500  # a process of the pool may be replaced soon after its step
_SCOPE = "lupus"
logger = logging.getLogger(__name__)

_started: "TracerProvider | None" = None


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the environment says where spans go, and does not say that none do."""
    off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    none = environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "none"
    return not off and not none and any(environment.get(name) for name in _ENDPOINTS)


def start(exporter: "SpanExporter | None" = None) -> None:
    """Send this process's spans from now on; a no-op where nobody asked for it."""
    global _started  # one for a process, as its logs are
    if _started is not None or (exporter is None and not wanted(os.environ)):
        return
    try:
        _started = _provider(exporter)
    except ImportError:
        logger.warning("OTEL_ variables are set, and lupus-server[otel] is not installed")


def stop() -> None:
    """Send what waits, and nothing more."""
    global _started
    provider, _started = _started, None
    if provider is not None:
        provider.shutdown()


@contextmanager
def sending() -> Iterator[None]:
    """Spans are sent while this is open."""
    start()
    try:
        yield
    finally:
        stop()


def provider() -> "TracerProvider | None":
    """Where the web framework takes its spans from; None: it makes none."""
    return _started


@contextmanager
def span(
    name: str,
    traceparent: str = "",
    attributes: Mapping[str, str | int | None] | None = None,
    client: bool = False,
) -> Iterator[None]:
    """A piece of work; a child of ``traceparent``, else of what goes on around it.

    ``client`` when it is an exchange with somebody else's server.
    """
    if _started is None:
        yield
        return
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - only where it is installed

    given = (attributes or {}).items()
    told = {f"lupus.{key}": value for key, value in given if value is not None}
    with _started.get_tracer(_SCOPE).start_as_current_span(
        name,
        context=_parent(traceparent),
        kind=SpanKind.CLIENT if client else SpanKind.INTERNAL,
        attributes=told,
    ):
        yield


def here() -> str:
    """The traceparent of the span around; empty where there is none."""
    if _started is None:
        return ""
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
        TraceContextTextMapPropagator,
    )

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent", "")


def trace_id() -> str:
    """The id of the trace around, as log lines show it."""
    parts = here().split("-")
    return parts[1] if len(parts) == 4 else ""


def _parent(traceparent: str) -> "Context | None":
    if not traceparent:
        return None
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
        TraceContextTextMapPropagator,
    )

    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})


def _provider(exporter: "SpanExporter | None") -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415
        BatchSpanProcessor,
        SimpleSpanProcessor,
    )

    name = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "lupus"}
    made = TracerProvider(resource=Resource.create({**name}))
    if exporter is not None:
        made.add_span_processor(SimpleSpanProcessor(exporter))
        return made
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    delay_ms = None if os.environ.get(_DELAY) else _DELAY_MS
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=delay_ms))
    return made
