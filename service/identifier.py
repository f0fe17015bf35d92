"""Ids of runs, ingests and the like: they sort by time and fit paths, labels and URLs."""

import secrets

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32 in lower case
LENGTH = 26
_RANDOM_BITS = 80


def new_id(now_ms: int) -> str:
    """26 letters: 48 bits of milliseconds, then 80 random bits."""
    number = (now_ms << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    return "".join(_LETTERS[(number >> shift) & 31] for shift in range(5 * (LENGTH - 1), -1, -5))


def made_ms(id_: str) -> int:
    """When an id was made; 0 for what is no id."""
    if len(id_) != LENGTH or any(letter not in _LETTERS for letter in id_):
        return 0
    number = 0
    for letter in id_:
        number = number << 5 | _LETTERS.index(letter)
    return number >> _RANDOM_BITS
