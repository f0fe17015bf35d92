"""What a message must never show."""

import re

from storage.errors import InvalidError
from storage.hive.options import HiveOptions

_SECRET_SETTING = re.compile(r"(?i)password|secret|token|credential|access\.key|api.?key")


def secrets_of(options: HiveOptions) -> tuple[str, ...]:
    """The password as it is now, and the values of settings that are named like secrets."""
    try:
        password = options.password.read()
    except InvalidError:
        password = ""
    settings = (v for key, v in options.session.items() if _SECRET_SETTING.search(key))
    return tuple(filter(None, [password, *settings]))
