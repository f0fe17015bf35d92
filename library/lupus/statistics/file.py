"""Read a declaration of statistics that is kept as a file."""

import json
from pathlib import Path
from typing import Any

from lupus.errors import StatisticsError


def document(path: Any) -> Any:
    """Give what a JSON or YAML file holds."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StatisticsError(f"{file}: {getattr(error, 'strerror', None) or error}") from None
    if file.suffix == ".json":
        try:
            return json.loads(text)
        except ValueError as error:
            raise StatisticsError(f"{file} is no JSON: {error}") from None
    try:
        import yaml  # noqa: PLC0415  only who has a YAML file needs it
    except ImportError:
        raise StatisticsError(f"{file}: YAML needs the package PyYAML; or write JSON") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise StatisticsError(f"{file} is no YAML: {error}") from None
