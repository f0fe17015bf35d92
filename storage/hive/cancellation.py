"""Ends on the server what nobody waits for any more.

A cancel can block for minutes, and the connection that the statement runs on may be half read or
dead. So it goes over a connection of its own with a short time-out, on a thread of its own.
"""

import logging
import threading
from contextlib import suppress
from typing import Any

from TCLIService import TCLIService, ttypes
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TException

from storage.errors import StorageError
from storage.hive.identity import open_messages
from storage.hive.session import Session
from storage.hive.transport import network_errors

_logger = logging.getLogger(__name__)


class Cancellation(threading.Thread):
    """Cancels a statement, if one was begun, and ends its session."""

    def __init__(self, session: Session, operation: Any) -> None:
        super().__init__(name=f"hive-cancel-{session.name}", daemon=True)
        self._session, self._operation = session, operation

    def run(self) -> None:
        try:
            self._tell()
        except StorageError as error:
            # The server ends the session itself when it sees the connection closed.
            _logger.info("a statement could not be cancelled: %s", error)
        finally:
            self._session.messages.close()

    def _tell(self) -> None:
        session = self._session
        messages = open_messages(session.name, session.options)
        try:
            client = TCLIService.Client(TBinaryProtocol(messages))
            messages.set_timeout(session.options.connect_seconds)
            with network_errors(session.name, session.options):
                if self._operation is not None:
                    with suppress(TException):
                        client.CancelOperation(ttypes.TCancelOperationReq(self._operation))
                        client.CloseOperation(ttypes.TCloseOperationReq(self._operation))
                if session.handle is not None:
                    with suppress(TException):
                        client.CloseSession(ttypes.TCloseSessionReq(session.handle))
        finally:
            messages.close()
