"""What can go wrong between a caller and the house.

ServiceError
├── SettingsError           a setting is missing, impossible or contradicts another
├── RequestError            the request is wrong; names the field and what is allowed
│   └── KeyReusedError      an Idempotency-Key came again with another body
├── UnauthenticatedError    no credential, or one that is not known, expired or revoked
├── ForbiddenError          the caller may not do this
├── UnknownError            there is no such object, or the caller may not see it
├── ConflictError           the object is in a state that does not allow this
├── TooLargeError           a body or a part of it is larger than a limit
├── LimitError              too much at once; try again after a while
├── EgressError             a destination is not allowed
│   └── UnresolvedError     transient: its name does not resolve
├── SecretError             a stored secret cannot be read with this key
├── BackupError             a backup cannot be made, or not be restored here
├── LeaseLostError          another worker has taken the job; what this one did is discarded
└── DatabaseError           the database did not do what it was asked
    ├── DatabaseBusyError   transient: locked, overloaded or gone for the moment
    ├── DatabaseFullError   transient: no room is left where it writes
    ├── DamagedDatabaseError  its file is not whole: restore it from the backup
    ├── NewerDatabaseError  the database was made by a newer version
    └── OlderDatabaseError  the database must be migrated first

Which HTTP status each becomes is told by one table in `service/api/problems.py`.
"""


class ServiceError(Exception):
    """The service could not do what it was asked."""


class SettingsError(ServiceError):
    """A setting is missing, impossible or contradicts another."""


class RequestError(ServiceError):
    """The request is wrong; ``pointer`` is the JSON pointer of the field at fault."""

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class KeyReusedError(RequestError):
    """An Idempotency-Key came again with another body."""


class UnauthenticatedError(ServiceError):
    """No credential was given, or it is not known, expired or revoked."""


class ForbiddenError(ServiceError):
    """The caller may not do this."""


class UnknownError(ServiceError):
    """There is no such object, or the caller may not see it."""


class ConflictError(ServiceError):
    """The object is in a state that does not allow this."""


class TooLargeError(ServiceError):
    """A body or a part of it is larger than a limit."""


class LimitError(ServiceError):
    """Too much at once: try again after ``retry_after_seconds``."""

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class EgressError(ServiceError):
    """A destination is not allowed."""


class UnresolvedError(EgressError):
    """A destination's name does not resolve; it may later."""


class SecretError(ServiceError):
    """A stored secret cannot be read with this key."""


class BackupError(ServiceError):
    """A backup cannot be made, or not be restored here."""


class LeaseLostError(ServiceError):
    """Another worker has taken the job: what this one did is discarded."""


class DatabaseError(ServiceError):
    """The database did not do what it was asked."""


class DatabaseBusyError(DatabaseError):
    """The database is locked, overloaded or gone for the moment: try again."""


class DatabaseFullError(DatabaseError):
    """No room is left where the database writes; nothing of the transaction counts."""


class DamagedDatabaseError(DatabaseError):
    """The database's file is not whole: it is restored from the backup."""


class NewerDatabaseError(DatabaseError):
    """The database was made by a newer version of this program."""


class OlderDatabaseError(DatabaseError):
    """The database must be migrated first."""
