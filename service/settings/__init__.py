"""Every setting of the service: one frozen object, built once where a process starts.

Each field is read from the environment variable ``LUPUS_<FIELD>``; a secret also from the file
that ``LUPUS_<FIELD>_FILE`` names. A part holds the fields of one noun; `docs/settings.md` is
generated from them.
"""

from service.settings.part import PREFIX
from service.settings.settings import (
    MIB,
    PARTS,
    Settings,
    load_settings,
    misspelt,
    secret_fields,
)

__all__ = ["MIB", "PARTS", "PREFIX", "Settings", "load_settings", "misspelt", "secret_fields"]
