"""One session on a server: one thread, one statement at a time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa
from TCLIService import TCLIService, ttypes
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TApplicationException, TException

from storage.errors import InvalidError, StorageError, UnreachableError
from storage.hive.deadline import Deadline
from storage.hive.decode import Block, arrow_type, batch_of, read_block
from storage.hive.errors import shown, status_error
from storage.hive.identity import open_messages
from storage.hive.options import HiveOptions
from storage.hive.redaction import secrets_of
from storage.hive.transport import network_errors

# The columnar protocol without the server's own compression; both servers answer with it.
_PROTOCOL = ttypes.TProtocolVersion.HIVE_CLI_SERVICE_PROTOCOL_V6
_ROWS = 10_000  # more are not given by Hive whatever is asked
_FIRST_POLL_SECONDS, _LONGEST_POLL_SECONDS = 0.005, 1.0
# The server ends by itself what we could not cancel, for example after our process was killed.
_SERVER_GRACE_SECONDS = 60
_FINE = (ttypes.TStatusCode.SUCCESS_STATUS, ttypes.TStatusCode.SUCCESS_WITH_INFO_STATUS)
_DEFAULTS = {
    "hive": {"hive.resultset.use.unique.column.names": "false"},
    # Else the driver collects a whole result before its first row travels.
    "spark": {"spark.sql.thriftServer.incrementalCollect": "true"},
}
# Spark passes on what was set as though by SET, and drops the rest.
_PREFIXES = {"hive": "", "spark": "set:hiveconf:"}
_STATE = ttypes.TOperationState
_ENDED = {
    _STATE.CANCELED_STATE: "was cancelled on the server",
    _STATE.CLOSED_STATE: "was closed on the server",
    _STATE.TIMEDOUT_STATE: "timed out on the server",
}


class Session:
    """Open from the start; ``usable`` says whether another statement may follow."""

    def __init__(self, name: str, options: HiveOptions, deadline: Deadline) -> None:
        self.name, self.options = name, options
        self.handle: Any = None
        self.unused_since = time.monotonic()
        self._waiting = False
        self.messages = open_messages(name, options)
        try:
            self._protocol = TBinaryProtocol(self.messages)
            self._client = TCLIService.Client(self._protocol)
            self._open(deadline)
        except BaseException:
            self.messages.close()
            raise

    def _open(self, deadline: Deadline) -> None:
        dialect = self.options.dialect
        settings = {
            f"{_PREFIXES[dialect]}{key}": value
            for key, value in {**_DEFAULTS[dialect], **self.options.session}.items()
        }
        request = ttypes.TOpenSessionReq(
            client_protocol=_PROTOCOL,
            username=self.options.user,
            configuration={"use:database": self.options.database, **settings},
        )
        answer = self.call("OpenSession", request, deadline.left())
        self.handle = answer.sessionHandle
        if answer.serverProtocolVersion != _PROTOCOL:
            raise InvalidError(f"{self.name}: the server's protocol is older than columns (Hive 1)")

    @property
    def usable(self) -> bool:
        """Whether nothing is under way or broken."""
        return not self._waiting

    def call(self, method: str, request: Any, seconds: float) -> Any:
        """One question and its answer, checked; ``seconds`` is how long the network may wait."""
        with self._exchange(seconds):
            answer = getattr(self._client, method)(request)
            self._waiting = False
        self._check(answer.status)
        return answer

    @contextmanager
    def _exchange(self, seconds: float) -> Iterator[None]:
        """Unless the block ends well, the connection holds half an answer and is of no use."""
        self.messages.set_timeout(seconds)
        self._waiting = True
        try:
            with network_errors(self.name, self.options):
                yield
        except TApplicationException as error:
            self._waiting = False
            raise InvalidError(f"{self.name}: {shown(str(error))}") from None
        except (TException, ValueError, TypeError) as error:
            raise UnreachableError(
                f"{self.name}: what answers is no Hive server: {shown(str(error))}"
            ) from None

    def _check(self, status: Any) -> None:
        if status.statusCode not in _FINE:
            raise self._failure(status.errorMessage, status.sqlState, status.infoMessages or ())

    def _failure(self, message: Any, sql_state: Any, notes: Any = ()) -> StorageError:
        return status_error(self.name, message, sql_state, notes, secrets_of(self.options))

    def alive(self, seconds: float) -> bool:
        """Whether the server still knows this session."""
        if not self.usable or not self.messages.alive():
            return False
        request = ttypes.TGetInfoReq(self.handle, ttypes.TGetInfoType.CLI_DBMS_NAME)
        try:
            self.call("GetInfo", request, seconds)
        except StorageError:
            return False
        return True

    def start(self, sql: str, deadline: Deadline) -> Any:
        """Begin a statement; gives its handle."""
        request = ttypes.TExecuteStatementReq(
            self.handle,
            _unsubstituted(sql),
            runAsync=True,
            queryTimeout=int(deadline.seconds) + _SERVER_GRACE_SECONDS,
        )
        return self.call("ExecuteStatement", request, deadline.left()).operationHandle

    def wait(self, handle: Any, deadline: Deadline) -> None:
        """Until the statement is done; raises what it failed with."""
        pause = _FIRST_POLL_SECONDS
        while True:
            request = ttypes.TGetOperationStatusReq(handle, getProgressUpdate=False)
            answer = self.call("GetOperationStatus", request, deadline.left())
            state = answer.operationState
            if state == _STATE.FINISHED_STATE:
                return
            if state == _STATE.ERROR_STATE:
                raise self._failure(answer.errorMessage, answer.sqlState)
            if state in _ENDED:
                raise UnreachableError(f"{self.name}: the statement {_ENDED[state]}")
            if deadline.passed:
                raise UnreachableError(f"{self.name}: no answer yet")
            time.sleep(min(pause, max(deadline.left(), 0)))
            pause = min(pause * 1.5, _LONGEST_POLL_SECONDS)

    def schema(self, handle: Any, seconds: float) -> pa.Schema:
        """Names and types of a statement's rows."""
        if not handle.hasResultSet:
            raise InvalidError(f"{self.name}: the statement gives no rows")
        answer = self.call("GetResultSetMetadata", ttypes.TGetResultSetMetadataReq(handle), seconds)
        return pa.schema([
            pa.field(column.columnName, _arrow_type(column)) for column in answer.schema.columns
        ])  # fmt: skip

    def batches(self, handle: Any, schema: pa.Schema, seconds: float) -> Iterator[pa.RecordBatch]:
        """The rows; while one block is worked on, the server prepares the next one."""
        self._ask(handle, seconds)
        while (block := self._block(seconds)).rows:
            self._ask(handle, seconds)
            yield batch_of(block, schema)

    def _ask(self, handle: Any, seconds: float) -> None:
        request = ttypes.TFetchResultsReq(handle, ttypes.TFetchOrientation.FETCH_NEXT, _ROWS)
        with self._exchange(seconds):
            self._client.send_FetchResults(request)

    def _block(self, seconds: float) -> Block:
        with self._exchange(seconds):
            block = read_block(self._protocol)
            self._waiting = False
        self._check(block.status)
        return block

    def finish(self, handle: Any) -> None:
        """Let go of a statement that is done or has failed."""
        seconds = self.options.connect_seconds
        self.call("CloseOperation", ttypes.TCloseOperationReq(handle), seconds)

    def close(self) -> None:
        """End the session on the server, as far as it can be reached."""
        try:
            if self.usable and self.handle is not None:
                request = ttypes.TCloseSessionReq(self.handle)
                with suppress(StorageError):
                    self.call("CloseSession", request, self.options.connect_seconds)
        finally:
            self.messages.close()


def _unsubstituted(sql: str) -> str:
    """Both servers put their environment, settings and Java's properties where a statement says
    ${env:...}, in literals too. Only in literals may ours, and there the letter can be escaped."""
    return sql.replace("${", "\\u0024{")


def _arrow_type(column: Any) -> pa.DataType:
    entry = column.typeDesc.types[0].primitiveEntry
    return pa.string() if entry is None else arrow_type(entry.type)
