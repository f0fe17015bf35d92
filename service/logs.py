"""structlog for the whole process: JSON lines, or colours on a terminal."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from service.settings import Settings
from workflows import tracing

_QUIET = ("uvicorn.access", "alembic", "elastic_transport", "httpx2", "httpcore2", "sqlalchemy")


def set_up_logs(settings: Settings) -> None:
    """Send structlog's and the libraries' records to standard error in one form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _add_trace,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    console = settings.log_format == "console" or (
        settings.log_format == "auto" and sys.stderr.isatty()
    )
    renderer: Any = (
        structlog.dev.ConsoleRenderer()
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    tail = [] if console else [structlog.processors.format_exc_info]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *tail,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _add_trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Any:
    """Lines of a request or a run that is traced name their trace."""
    if trace_id := tracing.trace_id():
        event["trace_id"] = trace_id
    return event
