"""The few calls of MIT Kerberos that a client needs, from the library that Debian installs.

The packages on PyPI that wrap it have no wheels for Linux: they would bring a compiler into every
installation. Credentials of a keytab live in a cache in memory; the library fetches new tickets
there when half of the old ones' life is over, so nobody has to run kinit.
"""

import ctypes
import weakref
from ctypes import POINTER, byref, c_char_p, c_size_t, c_uint32, c_void_p
from functools import cache
from typing import Any, ClassVar

from storage.errors import InvalidError, RefusedError, StorageError, UnreachableError

_LIBRARY = "libgssapi_krb5.so.2"
_INITIATE = 1
_INDEFINITE = 0xFFFFFFFF
_CONTINUE = 1
_FAILED = 0xFFFF0000
# mutual, replay, sequence, confidentiality, integrity
_FLAGS = 2 | 4 | 8 | 16 | 32
_KERBEROS = bytes.fromhex("2a864886f712010202")
_HOST_SERVICE = bytes.fromhex("2a864886f71201020104")
_PRINCIPAL = bytes.fromhex("2a864886f71201020201")


class _Buffer(ctypes.Structure):
    _fields_: ClassVar = [("length", c_size_t), ("value", c_void_p)]


class _Oid(ctypes.Structure):
    _fields_: ClassVar = [("length", c_uint32), ("elements", c_char_p)]


class _Oids(ctypes.Structure):
    _fields_: ClassVar = [("count", c_size_t), ("elements", POINTER(_Oid))]


class _Pair(ctypes.Structure):
    _fields_: ClassVar = [("key", c_char_p), ("value", c_char_p)]


class _Pairs(ctypes.Structure):
    _fields_: ClassVar = [("count", c_uint32), ("elements", POINTER(_Pair))]


@cache
def _library() -> Any:
    try:
        found = ctypes.CDLL(_LIBRARY)
    except OSError:
        raise InvalidError(
            f"auth KERBEROS needs {_LIBRARY} (Debian: apt-get install libgssapi-krb5-2)"
        ) from None
    for name in (
        "gss_import_name", "gss_acquire_cred_from", "gss_init_sec_context", "gss_wrap",
        "gss_unwrap", "gss_display_status", "gss_release_buffer", "gss_release_name",
        "gss_release_cred", "gss_delete_sec_context",
    ):  # fmt: skip
        getattr(found, name).restype = c_uint32
    return found


def _oid(value: bytes) -> _Oid:
    return _Oid(len(value), value)


def _given(data: bytes) -> tuple[_Buffer, Any]:
    """A buffer, and what must live as long as it."""
    kept = ctypes.create_string_buffer(data, len(data))
    return _Buffer(len(data), ctypes.cast(kept, c_void_p)), kept


def _taken(buffer: _Buffer) -> bytes:
    data = ctypes.string_at(buffer.value, buffer.length) if buffer.length else b""
    _library().gss_release_buffer(byref(c_uint32()), byref(buffer))
    return data


def _check(name: str, status: int, minor: c_uint32) -> None:
    if status & _FAILED:
        said = _text(minor.value, 2) or _text(status, 1)
        kind: type[StorageError] = RefusedError
        if any(word in said.lower() for word in ("cannot contact", "cannot resolve", "timed out")):
            kind = UnreachableError
        raise kind(f"{name}: Kerberos: {said}")


def _text(status: int, kind: int) -> str:
    more, buffer, oid = c_uint32(0), _Buffer(), _oid(_KERBEROS)
    _library().gss_display_status(
        byref(c_uint32()), c_uint32(status), kind, byref(oid), byref(more), byref(buffer)
    )
    return _taken(buffer).decode("utf-8", "replace")


def _name(name: str, value: str, kind: bytes) -> c_void_p:
    found, minor, oid = c_void_p(), c_uint32(), _oid(kind)
    buffer, _kept = _given(value.encode())
    status = _library().gss_import_name(byref(minor), byref(buffer), byref(oid), byref(found))
    _check(name, status, minor)
    return found


class Credentials:
    """The tickets of a principal: from a keytab, or from this process's ticket cache."""

    def __init__(self, name: str, principal: str, keytab: str, cache_name: str) -> None:
        library = _library()
        self.pointer = c_void_p()
        wanted = _name(name, principal, _PRINCIPAL) if principal else c_void_p()
        oid, minor = _oid(_KERBEROS), c_uint32()
        pairs = (_Pair * 2)(
            _Pair(b"client_keytab", f"FILE:{keytab}".encode()),
            _Pair(b"ccache", cache_name.encode()),
        )
        store = byref(_Pairs(2, pairs)) if keytab else None
        status = library.gss_acquire_cred_from(
            byref(minor), wanted, c_uint32(_INDEFINITE), byref(_Oids(1, ctypes.pointer(oid))),
            _INITIATE, store, byref(self.pointer), None, None,
        )  # fmt: skip
        if wanted:
            library.gss_release_name(byref(c_uint32()), byref(wanted))
        _check(name, status, minor)
        weakref.finalize(
            self, library.gss_release_cred, byref(c_uint32()), byref(self.pointer)
        ).atexit = False


class Context:
    """One side of a conversation with a service, ``service@host``."""

    def __init__(self, name: str, credentials: Credentials, service: str) -> None:
        library = _library()
        self.complete = False
        self._label, self._credentials = name, credentials
        self._pointer = c_void_p()
        self._target = _name(name, service, _HOST_SERVICE)
        for release, pointer, more in (
            (library.gss_delete_sec_context, self._pointer, (None,)),
            (library.gss_release_name, self._target, ()),
        ):
            weakref.finalize(self, release, byref(c_uint32()), byref(pointer), *more).atexit = False

    def step(self, token: bytes) -> bytes:
        """What to send after the other side's token; the first time after none."""
        minor, oid, answer = c_uint32(), _oid(_KERBEROS), _Buffer()
        given, _kept = _given(token)
        status = _library().gss_init_sec_context(
            byref(minor), self._credentials.pointer, byref(self._pointer), self._target,
            byref(oid), c_uint32(_FLAGS), c_uint32(0), None, byref(given), None, byref(answer),
            None, None,
        )  # fmt: skip
        _check(self._label, status, minor)
        self.complete = not status & _CONTINUE
        return _taken(answer)

    def wrap(self, message: bytes, secret: bool) -> bytes:
        """A message that cannot be changed on its way, nor read if ``secret``."""
        minor, answer = c_uint32(), _Buffer()
        given, _kept = _given(message)
        status = _library().gss_wrap(
            byref(minor), self._pointer, int(secret), c_uint32(0), byref(given), None, byref(answer)
        )
        _check(self._label, status, minor)
        return _taken(answer)

    def unwrap(self, message: bytes) -> bytes:
        """A message that the other side has wrapped."""
        minor, answer = c_uint32(), _Buffer()
        given, _kept = _given(message)
        status = _library().gss_unwrap(
            byref(minor), self._pointer, byref(given), byref(answer), None, None
        )
        _check(self._label, status, minor)
        return _taken(answer)
