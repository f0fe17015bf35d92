"""Texts for Slack: nothing that people named can act as markup, and nothing is too long.

Lengths are counted as Slack's clients count them, in UTF-16 units, after escaping.
"""

import re
from collections.abc import Iterable

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Control characters, halves of surrogate pairs, and marks that turn the direction of reading.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
# Slack has no way to write these as letters; they are replaced by ones that look alike. Underscores
# within words and lone colons are left: there they mean nothing.
_MARKUP = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "\u02cb"})
_EDGE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_EMOJI = re.compile(r":(?=[a-z0-9_+'-]+:)")
_USER = re.compile(r"<?@?([UW][A-Z0-9]{5,20})>?")
_GROUP = re.compile(r"<?(?:!subteam\^|@)?(S[A-Z0-9]{5,20})(?:\|[^>]*)?>?")
_LONGEST_URL = 1500
_MORE = "…"


def length(text: str) -> int:
    """UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def plain(text: str, most: int) -> str:
    """One line of escaped text of at most ``most`` units, never empty."""
    clean = " ".join(_UNSEEN.sub(" ", text).split()) or "-"
    pieces = [_ESCAPES.get(letter, letter) for letter in clean]
    if length("".join(pieces)) <= most:
        return "".join(pieces)
    kept, room = [], most - length(_MORE)
    for piece in pieces:
        room -= length(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept) + _MORE


def marked(text: str, most: int) -> str:
    """The same where Slack would read ``*bold*`` and the like: they stay letters."""
    text = _EMOJI.sub("\ua789", _EDGE.sub("\uff3f", text.translate(_MARKUP)))
    return plain(text, most)


def link(url: str, name: str) -> str:
    """``<url|name>``; the name alone when the URL is none that a message may carry."""
    shown = marked(name.replace("|", "/"), 75)
    escaped = url.replace("&", "&amp;")
    if not url.startswith(("https://", "http://")) or length(escaped) > _LONGEST_URL:
        return shown
    if any(letter in url for letter in '|"<>` ') or _UNSEEN.search(url):
        return shown
    return f"<{escaped}|{shown}>"


def mention(text: str) -> str:
    """A user or a group by its id; a name is only text, so nobody can call a whole channel."""
    if user := _USER.fullmatch(text.strip()):
        return f"<@{user[1]}>"
    if group := _GROUP.fullmatch(text.strip()):
        return f"<!subteam^{group[1]}>"
    return marked(text, 200) if text.strip() else ""


def joined(parts: Iterable[str], between: str, most: int) -> str:
    """As many whole parts as fit."""
    text = ""
    for part in parts:
        longer = f"{text}{between}{part}" if text else part
        if length(longer) > most:
            break
        text = longer
    return text
