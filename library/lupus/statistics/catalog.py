"""All kinds of statistics, and which one a column's type has."""

from collections.abc import Mapping, Sequence
from typing import Any, Union

from lupus.errors import StatisticsError
from lupus.statistics.array import Array
from lupus.statistics.categorical import Categorical
from lupus.statistics.kind import Kind
from lupus.statistics.numeric import Numeric
from lupus.statistics.presence import Present
from lupus.statistics.text import Text
from lupus.statistics.time import Time

KINDS: dict[str, type[Kind]] = {
    kind.name: kind for kind in (Numeric, Categorical, Array, Text, Time, Present)
}
# In this order: the first that is for a column's type is its usual one.
_USUAL = (Numeric, Categorical, Array, Time)


def declared(name: str, wish: Any) -> Union[Kind, tuple[str, ...], None]:
    """Check what was declared of a column: a kind, a kind's name, or names of metrics."""
    if wish is None or isinstance(wish, Kind):
        return wish
    if isinstance(wish, type) and issubclass(wish, Kind):
        return wish()
    if isinstance(wish, str):
        return KINDS[wish]() if wish in KINDS else (wish,)
    if isinstance(wish, Sequence) and wish and all(isinstance(one, str) for one in wish):
        return tuple(wish)
    raise StatisticsError(f"{name}: names of metrics, or one of {', '.join(KINDS)}, not {wish!r}")


def for_type(type_name: str, timed: bool) -> Kind:
    """Give what is usual for a column of a type; freshness where a time is given."""
    for kind in _USUAL:
        if type_name != "null" and kind.fits(type_name):
            return Time("present_share") if kind is Time and not timed else kind()
    return Present()


def with_metrics(name: str, type_name: str, metrics: Sequence[str]) -> Kind:
    """Give the kind that is for a column's type and has all these metrics."""
    fit = [kind for kind in KINDS.values() if kind.fits(type_name)]
    for kind in fit:
        try:
            return kind(*metrics)
        except StatisticsError:
            continue
    allowed = "; ".join(f"{kind.__name__} has {', '.join(kind.allowed)}" for kind in fit)
    raise StatisticsError(f"{name} is {type_name}, and has no {', '.join(metrics)}: {allowed}")


def kind_from_dict(name: str, document: Mapping[str, Any]) -> Kind:
    """Read a kind's ``to_dict``."""
    given = dict(document)
    kind = KINDS.get(str(given.pop("kind", None)))
    if kind is None:
        raise StatisticsError(
            f"{name}: kind is one of {', '.join(KINDS)}, not {document.get('kind')!r}"
        )
    metrics = given.pop("metrics", ())
    if isinstance(metrics, str):
        metrics = [metrics]
    if isinstance(given.get("of"), Mapping):
        given["of"] = {other: _inner(other, inner) for other, inner in given["of"].items()}
    try:
        return kind(*metrics, **given)
    except TypeError:
        options = ", ".join(given)
        raise StatisticsError(f"{name}: {kind.__name__} does not take {options}") from None
    except StatisticsError as error:
        raise StatisticsError(f"{name}: {error}") from None


def _inner(name: str, document: Any) -> Any:
    if isinstance(document, Mapping):
        return kind_from_dict(name, document)
    return declared(name, document)
