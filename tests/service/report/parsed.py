"""A strict reader of the pages: what browsers would forgive is an error here."""

from html.parser import HTMLParser

_VOID = {"meta", "br", "hr", "img", "input", "link"}
_SELF_CLOSING = {"line", "path", "rect", "circle", "use", "text"}
_ACTIVE = {"script", "iframe", "object", "embed", "form", "base", "img", "link", "foreignobject"}


class Parsed(HTMLParser):
    """Tags in order, ids, addresses and texts of a page that is well formed."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self._style = False
        assert page.startswith("<!doctype html>")
        self.feed(page)
        self.close()
        assert not self._open, f"never closed: {self._open}"
        assert len(set(self.ids)) == len(self.ids), "an id twice"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._see(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _SELF_CLOSING, f"<{tag}/> is not closed"
        assert "svg" in self._open, f"<{tag}/> outside of a picture"
        self._see(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1:] == [tag], f"</{tag}> closes {self._open}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def _see(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in _ACTIVE, f"<{tag}> has no place here"
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"{name} of <{tag}> would run"
            self.attributes.append((tag, name, value))
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "action", "xlink:href"):
                self.addresses.append(value or "")
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute of <{tag}> twice"

    @property
    def text(self) -> str:
        """What is read aloud, in one piece."""
        return " ".join(" ".join(self.texts).split())

    def values(self, tag: str, name: str) -> list[str]:
        """What an attribute says, wherever it stands."""
        return [value or "" for t, n, value in self.attributes if (t, n) == (tag, name)]
