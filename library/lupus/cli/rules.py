"""Detection rules kept as a YAML file: read strictly, every fault with its line."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lupus.cli.exits import UsageError
from lupus.extra import missing

try:
    import yaml
except ImportError:
    raise missing("a file of rules", "yaml") from None

_TOP = ("defaults", "rules")
_RULE = (
    "source",
    "metric",
    "range",
    "detector",
    "rule",
    "labels",
    "join",
    "after",
    "notify",
    "store",
    "require_points",
)
_INSIDE = {
    "range": ("last", "align", "delay", "start", "end"),
    "notify": ("channels", "on", "min_severity", "max_age", "repeat"),
}
_NEEDED = ("source", "metric", "range", "detector", "rule")
Path_ = tuple[Any, ...]


@dataclass(frozen=True)
class Rule:
    """One request of the file, and the lines that its fields stand in."""

    request: Mapping[str, Any]
    lines: Mapping[Path_, int]
    line: int

    @property
    def name(self) -> str:
        """Its rule."""
        return str(self.request["rule"])

    def line_of(self, pointer: str) -> int:
        """Give the line of a field that the service names, or of the nearest around it."""
        parts = tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
        texts = {tuple(map(str, path)): line for path, line in self.lines.items()}
        for length in range(len(parts), 0, -1):
            if parts[:length] in texts:
                return texts[parts[:length]]
        return self.line


def read_rules(file: str) -> list[Rule]:
    """Give the rules of a file; UsageError names the line at fault.

    The file has ``rules``, a list of requests as ``POST /v1/detections`` takes them, each with a
    ``rule``; ``defaults`` holds fields that they share.
    """
    try:
        text = Path(file).read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8") from None
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise UsageError(f"{file}:{line}: not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{file}: not YAML: {error}") from None
    return _Reader(file).rules(node)


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self._lines: dict[Path_, int] = {}

    def rules(self, node: Any) -> list[Rule]:
        content = None if node is None else self._value(node, ())
        if not isinstance(content, dict) or not isinstance(content.get("rules"), list):
            raise UsageError(f"{self._file}: the file has a list `rules`, and maybe `defaults`")
        self._known(content, _TOP, ())
        defaults = content.get("defaults") or {}
        self._check(defaults, ("defaults",))
        found = [self._rule(number, rule, defaults) for number, rule in enumerate(content["rules"])]
        if not found:
            raise UsageError(f"{self._file}: there are no rules")
        seen: dict[tuple[str, str], int] = {}
        for rule in found:
            key = str(rule.request["source"]), rule.name
            if key in seen:
                raise self._fault(rule.line, f"rule {rule.name} is there twice: line {seen[key]}")
            seen[key] = rule.line
        return found

    def _rule(self, number: int, rule: Any, defaults: Mapping[str, Any]) -> Rule:
        path = ("rules", number)
        self._check(rule, path)
        request = {**defaults, **rule}
        for name in _NEEDED:
            if name not in request:
                raise self._fault(self._lines[path], f"the rule has no {name!r}")
        lines: dict[Path_, int] = {}
        for place in (("defaults",), path):
            lines.update(
                (at[len(place) :], line)
                for at, line in self._lines.items()
                if at[: len(place)] == place and len(at) > len(place)
            )
        return Rule(request, lines, self._lines[path])

    def _check(self, rule: Any, path: Path_) -> None:
        if not isinstance(rule, dict):
            raise self._fault(self._lines[path], "allowed is a mapping of fields")
        self._known(rule, _RULE, path)
        for name, allowed in _INSIDE.items():
            if isinstance(rule.get(name), dict):
                self._known(rule[name], allowed, (*path, name))

    def _known(self, given: Mapping[Any, Any], allowed: Sequence[str], path: Path_) -> None:
        for name in given:
            if name not in allowed:
                raise self._fault(
                    self._lines[(*path, name)],
                    f"unknown field {name!r}; allowed are {', '.join(allowed)}",
                )

    def _value(self, node: Any, path: Path_) -> Any:
        """Give the content of a node, as JSON has it, and note its lines."""
        self._lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, path))
        if isinstance(node, yaml.SequenceNode):
            return [self._value(one, (*path, number)) for number, one in enumerate(node.value)]
        try:
            value = yaml.SafeLoader("").construct_object(node)
        except (ValueError, yaml.YAMLError) as error:  # a 30th of February
            raise self._fault(self._lines[path], f"{node.value}: {error}") from None
        if isinstance(value, dt.datetime) and value.tzinfo is None:
            raise self._fault(self._lines[path], f"{node.value} has no offset from UTC")
        return value.isoformat() if isinstance(value, dt.date) else value

    def _pairs(self, node: Any, path: Path_) -> Iterator[tuple[str, Any]]:
        seen = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                raise self._fault(line, "allowed are plain texts as names of fields")
            if key.value in seen:
                raise self._fault(line, f"{key.value!r} is there twice")
            seen.add(key.value)
            self._lines[(*path, key.value)] = line
            yield key.value, self._value(value, (*path, key.value))

    def _fault(self, line: int, message: str) -> UsageError:
        return UsageError(f"{self._file}:{line}: {message}")
