"""docs/settings.md, made from the settings themselves."""

from service.settings.part import PREFIX, Part
from service.settings.settings import PARTS, secret_fields

_HEAD = """# Settings

Read from the environment when a process starts. Everything has a default that needs no server.
A secret can also be read from a file: `LUPUS_SECRET_KEY_FILE=/run/secrets/key`.
Misspelt names are logged at start with the nearest setting.
"""
_TABLE = """
| variable | default | meaning |
|---|---|---|
"""

_TAIL = """
The command line's client parts (`import`, `detect`) read `LUPUS_URL` (the service) and
`LUPUS_TOKEN` or `LUPUS_TOKEN_FILE` (a token).
"""


def render() -> str:
    """The page's whole text."""
    return _HEAD + "".join(map(_section, PARTS)) + _TAIL


def _section(part: type[Part]) -> str:
    rows = []
    secrets = secret_fields()
    for name, field in part.model_fields.items():
        variable = f"`{PREFIX}{name.upper()}`"
        if name in secrets:
            variable += f", `{PREFIX}{name.upper()}_FILE`"
        rows.append(f"| {variable} | {_default(field.default)} | {field.description} |\n")
    heading = str(part.__doc__).removesuffix(".")
    return f"\n## {heading}\n{_TABLE}{''.join(rows)}"


def _default(value: object) -> str:
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"
