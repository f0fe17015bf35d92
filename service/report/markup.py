"""HTML made of constant pieces and escaped values."""

import re
from collections.abc import Iterable

from markupsafe import Markup

# What HTML does not take as a character, and what could turn the order of a line around.
_UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def fill(piece: str, *values: object, **named: object) -> Markup:
    """A constant piece of HTML with its ``{}`` filled; texts are escaped, HTML stays."""
    shown = {name: _shown(value) for name, value in named.items()}
    return Markup(piece).format(*map(_shown, values), **shown)  # noqa: S704 - a constant of ours


def _shown(value: object) -> object:
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def clean(text: str) -> str:
    """A text without characters that a page cannot show."""
    return _UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", text)


def joined(pieces: Iterable[Markup], between: str = "") -> Markup:
    """Pieces one after the other."""
    return Markup(between).join(pieces)  # noqa: S704 - a constant of ours
