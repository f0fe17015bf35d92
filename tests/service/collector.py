"""Spans as a collector of OpenTelemetry gets them, by OTLP over HTTP."""

from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.service.receiver import Receiver


@dataclass(frozen=True)
class Seen:
    """A span as the collector got it."""

    name: str
    trace: str
    id: str
    parent: str
    told: dict[str, Any]
    begin_ns: int
    end_ns: int
    service: str


def spans_of(collector: Receiver) -> list[Seen]:
    found = []
    for got in list(collector.got):
        sent = ExportTraceServiceRequest.FromString(got.body)
        for resource in sent.resource_spans:
            described = {a.key: a.value.string_value for a in resource.resource.attributes}
            found += [
                Seen(
                    name=span.name,
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    told={
                        a.key: a.value.string_value or a.value.int_value for a in span.attributes
                    },
                    begin_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    service=described["service.name"],
                )
                for scope in resource.scope_spans
                for span in scope.spans
            ]
    return found
