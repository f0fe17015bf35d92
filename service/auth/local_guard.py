"""Keeps web pages and proxies from speaking as the local administrator.

A page in a browser on this machine can send requests to loopback. By DNS rebinding it can even
read the answers: then ``Host`` is the page's own name. And a reverse proxy makes everybody look
local, but says whom it speaks for.
"""

from collections.abc import Mapping

from service.settings.checks import is_loopback

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def why_not_local(headers: Mapping[str, str], client_host: str | None) -> str | None:
    """Why a request without a token is not the local administrator's; None when it is."""
    host = headers.get("host", "")
    if client_host is None or not is_loopback(client_host):
        return "it does not come from this machine"
    if not is_loopback(_name(host)):
        return f"its Host header names {host or 'nothing'}, not a loopback address"
    if forwarded := next((name for name in _FORWARDED if name in headers), None):
        return f"its {forwarded} header says that a proxy speaks for somebody else"
    origin = headers.get("origin")
    if origin is not None and origin.lower() != f"http://{host}".lower():
        return "its Origin header says that a web page of another place sent it"
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "its Sec-Fetch-Site header says that a web page of another place sent it"
    return None


def _name(host: str) -> str:
    """The host without its port."""
    if host.startswith("["):
        return host.partition("]")[0][1:]
    return host.partition(":")[0]
