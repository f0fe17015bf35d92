"""Label conditions, in bodies and in queries.

In a body: ``{"region": ["jp", "!tw"], "model": null}``. In a query the same as JSON, or
``labels=region=jp`` once per condition, where ``labels=model=`` asks for no such label.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from service.api.errors import QueryError
from service.api.pointer import escape
from service.api.source_body import as_list
from service.api.strict_json import read_json
from service.errors import RequestError
from storage.conditions import label_tests
from storage.errors import InvalidError
from storage.selector import LabelCondition

MOST_NAMES = 64
MOST_VALUES = 1000


def _condition(given: Any) -> Any:
    if given is not None and not isinstance(given, str | list):
        raise ValueError(
            "allowed are a string, a list of strings (any of), and null (no such label)"
        )
    return as_list(given)


Condition = Annotated[list[str] | None, BeforeValidator(_condition)]
_CONDITIONS: TypeAdapter[dict[str, list[str] | None]] = TypeAdapter(
    dict[str, Condition], config={"strict": True}
)


def conditions(labels: Mapping[str, Sequence[str] | None]) -> dict[str, LabelCondition]:
    """As the stores take them; InvalidError says what is wrong."""
    found = {name: None if any_of is None else tuple(any_of) for name, any_of in labels.items()}
    if len(found) > MOST_NAMES:
        raise InvalidError(f"conditions on {len(found)} labels: at most {MOST_NAMES} are allowed")
    for name, any_of in found.items():
        if any_of is not None and len(any_of) > MOST_VALUES:
            raise InvalidError(
                f"label {name}: {len(any_of)} values, at most {MOST_VALUES} are allowed"
            )
    label_tests(found)
    return found


def body_conditions(labels: Mapping[str, Sequence[str] | None]) -> dict[str, LabelCondition]:
    """Conditions of a body's field ``labels``."""
    found: dict[str, LabelCondition] = {}
    for name, any_of in labels.items():
        try:
            found |= conditions({name: any_of})
        except InvalidError as error:
            raise RequestError(str(error), f"/labels/{escape(name)}") from None
    return found


def query_conditions(parameter: str, texts: Sequence[str]) -> dict[str, LabelCondition]:
    """Conditions of a query."""
    merged: dict[str, list[str] | None] = {}
    for text in texts:
        for name, any_of in _one(parameter, text).items():
            if any_of is None or merged.get(name, any_of) is None:
                merged[name] = None
            else:
                merged[name] = [*(merged.get(name) or []), *any_of]
    try:
        return conditions(merged)
    except InvalidError as error:
        raise QueryError(parameter, str(error)) from None


def _one(parameter: str, text: str) -> dict[str, list[str] | None]:
    if text.lstrip().startswith("{"):
        try:
            return _CONDITIONS.validate_python(read_json(text))
        except (ValidationError, RequestError):
            raise QueryError(
                parameter, 'as JSON it is {"name": "value"}, a list of values, or null'
            ) from None
    name, equals, value = text.partition("=")
    if not equals:
        raise QueryError(parameter, f"{text!r}: write name=value, or name= for no such label")
    return {name: [value] if value else None}


def plain(labels: Mapping[str, LabelCondition]) -> dict[str, Any]:
    """Conditions as JSON shows them."""
    return {name: None if any_of is None else list(any_of) for name, any_of in labels.items()}
