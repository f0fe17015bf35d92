"""Texts must be UTF-8; a file that is something else is refused by its name."""

import codecs
import gzip
from collections.abc import Iterator
from pathlib import Path

from service.tryout.errors import TryError

_BLOCK = 1 << 20
_LATIN = "ISO-8859-1"
_SAID = {_LATIN: "probably Latin-1 (ISO-8859-1) or Windows-1252"}


def check_utf8(path: Path, shown: str) -> None:
    """Refuse a text file in another encoding, with its name and a way out."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for number, block in enumerate(_blocks(path)):
            if number == 0 and _is_utf16(block):
                raise _refused(shown, "UTF-16")
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise _refused(shown, _LATIN) from None
    except (OSError, EOFError) as error:
        raise TryError(f"{shown} cannot be read: {error}") from error


def _blocks(path: Path) -> Iterator[bytes]:
    packed = path.name.lower().endswith(".gz")
    with gzip.open(path) if packed else path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _is_utf16(first: bytes) -> bool:
    """By its mark, or because every Latin letter has a zero byte beside it."""
    start = first[:1000]
    marked = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return marked or start.count(0) > len(start) // 4


def _refused(shown: str, name: str) -> TryError:
    return TryError(
        f"{shown} is not UTF-8 but {_SAID.get(name, name)}; allowed is UTF-8, which "
        f"`iconv -f {name} -t UTF-8` makes of it"
    )
