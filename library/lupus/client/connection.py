"""Where the service is and who asks: the address, the token, the certificates, the proxy."""

import os
import urllib.request
from pathlib import Path
from typing import Any, Optional

import urllib3

from lupus.errors import SettingsError

DEFAULT_URL = "http://127.0.0.1:8700"
_CONNECT_SECONDS = 10.0


class Token:
    """A secret that shows itself nowhere but in the header that it is for."""

    def __init__(self, token: Optional[str] = None) -> None:
        self._given = token
        self._text = self._read()

    def __repr__(self) -> str:
        return "<token>" if self._text else "<no token>"

    @property
    def headers(self) -> dict[str, str]:
        """The header of a request."""
        return {"Authorization": f"Bearer {self._text}"} if self._text else {}

    def read_again(self) -> bool:
        """Whether its file holds another one by now: tokens are rotated while jobs run."""
        before, self._text = self._text, self._read()
        return self._text != before

    def _read(self) -> str:
        text = self._given or _token_of_environment()
        if not all(" " < letter <= "~" for letter in text):
            raise SettingsError("the token has characters that no token has: is it cut off?")
        return text


def _token_of_environment() -> str:
    if file := os.environ.get("LUPUS_TOKEN_FILE"):
        try:
            return Path(file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise SettingsError(f"LUPUS_TOKEN_FILE: {reason} ({file})") from None
    return os.environ.get("LUPUS_TOKEN", "").strip()


def address(url: Optional[str]) -> str:
    """Give the service's address: what was said, else LUPUS_URL, else this machine's."""
    text = (url or os.environ.get("LUPUS_URL") or DEFAULT_URL).strip().rstrip("/")
    try:
        parsed = urllib3.util.parse_url(text)
    except urllib3.exceptions.LocationParseError:
        parsed = None
    if parsed is None or parsed.scheme not in ("http", "https") or not parsed.host:
        shown = text.rpartition("@")[2]
        raise SettingsError(f"{shown!r} is no address: write it like https://lupus.example.com")
    if parsed.auth or parsed.query or parsed.fragment:
        raise SettingsError(
            f"the address of {parsed.host} has more than a path: a token goes into token= or "
            "LUPUS_TOKEN"
        )
    return text


def pool_for(url: str, ca_bundle: Optional[str] = None) -> urllib3.PoolManager:
    """Give connections to a server, through the environment's proxy where it names one."""
    parsed = urllib3.util.parse_url(url)
    bundle = ca_bundle or os.environ.get("LUPUS_CA_BUNDLE") or None
    if bundle and not Path(bundle).exists():
        raise SettingsError(f"LUPUS_CA_BUNDLE: there is no file {bundle}")
    options: dict[str, Any] = {"ca_certs": bundle, "maxsize": 4}
    proxy = urllib.request.getproxies().get(parsed.scheme or "")
    if not proxy or urllib.request.proxy_bypass(parsed.host or ""):
        return urllib3.PoolManager(**options)
    auth = urllib3.util.parse_url(proxy).auth
    headers = urllib3.make_headers(proxy_basic_auth=auth) if auth else None
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **options)


def timeout(read_seconds: float) -> urllib3.Timeout:
    """Give how long a connection and then each piece of an answer may take."""
    return urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_seconds)
