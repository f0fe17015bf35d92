"""``serve`` and ``worker``: one process from its start to SIGTERM.

At SIGTERM readyz says 503 and the worker stops leasing at once; then the leases are released,
answers under way are finished, and everything is closed in reverse.
"""

import os
import signal
import socket
import threading
from contextlib import suppress
from types import FrameType
from typing import NoReturn

import structlog
import uvicorn

from service.api.resources import Resources
from service.app import open_app, open_resources
from service.errors import SettingsError
from service.listeners import open_listeners
from service.logs import set_up_logs
from service.metrics_endpoint import open_metrics_port
from service.settings import Settings, misspelt
from service.working import working
from workflows import tracing

_log = structlog.get_logger("service.serving")
# Long polls see that the service ends; the rest is a margin for large answers.
_FINISH_SECONDS = 10
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(settings: Settings) -> None:
    """Answer HTTP until SIGTERM."""
    _begin(settings)
    with tracing.sending(), open_app(settings) as app:
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # Who asks is decided by service/auth; a proxy's word about it is not taken here.
            proxy_headers=False,
            timeout_graceful_shutdown=_FINISH_SECONDS,
        )
        server = _Server(config, app.state.resources)
        # The server sends the signal that ended it once more when it is done.
        with suppress(SystemExit):
            server.run(_listeners(settings))
    _log.info("service_ended")


def _listeners(settings: Settings) -> list[socket.socket]:
    host, port = settings.host, settings.port
    try:
        return open_listeners(host, port)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port} ({error.strerror}): choose another LUPUS_HOST or "
            "LUPUS_PORT"
        ) from None


def work(settings: Settings) -> None:
    """Work off the queue until SIGTERM."""
    _begin(settings)
    with tracing.sending(), open_resources(settings) as resources, working(resources):
        _open_metrics_port(settings)
        _log.info("worker_started", database=resources.database.name)
        with suppress(SystemExit):
            threading.Event().wait()
    _log.info("worker_ended")


def _open_metrics_port(settings: Settings) -> None:
    host, port = settings.metrics_host, settings.metrics_port
    if port is None:
        return
    try:
        port = open_metrics_port(host, port, settings.measured_folders)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port} ({error.strerror}): choose another LUPUS_METRICS_HOST "
            "or LUPUS_METRICS_PORT"
        ) from None
    _log.info("metrics_listening", host=host, port=port)


def _begin(settings: Settings) -> None:
    set_up_logs(settings)
    for number in _SIGNALS:
        signal.signal(number, _end)
    for name, near in misspelt(os.environ).items():
        _log.warning("unknown_setting", name=name, nearest=near or "none")


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


class _Server(uvicorn.Server):
    """Says at the first signal that it ends, and which port it got."""

    def __init__(self, config: uvicorn.Config, resources: Resources) -> None:
        super().__init__(config)
        self._resources = resources

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        _log.info("service_stopping", signal=signal.Signals(sig).name)
        self._resources.stopping.set()
        wait = self._resources.settings.drain_seconds
        if wait and not self.should_exit:
            # Load balancers need time to see the 503 of readyz before the port is closed.
            end = threading.Timer(wait, super().handle_exit, (sig, frame))
            end.daemon = True
            end.start()
        else:
            super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers:
            for listener in server.sockets:
                host, port = listener.getsockname()[:2]
                _log.info("service_listening", host=host, port=port)
