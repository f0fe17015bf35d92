"""Settings of the three kinds of pods, read from the pod file and checked field by field."""

import difflib
import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from workflows.errors import BadRequestError

PodKind = Literal["plan", "detect", "publish"]
KINDS: tuple[PodKind, ...] = ("plan", "detect", "publish")

# Key of the pod file -> the model of Hera that knows its fields; lists hold several of it.
_MODELS: Mapping[str, str] = {
    "resources": "ResourceRequirements",
    "affinity": "Affinity",
    "podSecurityContext": "PodSecurityContext",
    "securityContext": "SecurityContext",
}
_LISTS: Mapping[str, str] = {
    "env": "EnvVar",
    "envFrom": "EnvFromSource",
    "volumes": "Volume",
    "volumeMounts": "VolumeMount",
    "tolerations": "Toleration",
    "imagePullSecrets": "LocalObjectReference",
}
_TEXTS = ("priorityClassName", "serviceAccountName")
_MAPS = ("nodeSelector", "annotations", "labels")
_KEYS = (*_MODELS, *_LISTS, *_TEXTS, *_MAPS)

# What no step needs; and what only plan and publish may know.
_NOBODY = ("LUPUS_DATABASE", "LUPUS_SECRET_KEY", "LUPUS_TOKEN", "LUPUS_ADMIN_TOKEN")
_NOT_DETECT = ("LUPUS_ARCHIVE", "LUPUS_INDEX", "LUPUS_HIVE", "LUPUS_ELASTICSEARCH")
_OURS_AND_CLOUDS = ("LUPUS_", "AWS_")
_SECRET = ("_PASSWORD", "_SECRET_ACCESS_KEY", "_API_KEY", "_TOKEN", "_SECRET_KEY")


@dataclass(frozen=True)
class PodSettings:
    """What a kind of pod gets besides its step; values are those of Hera's models."""

    given: Mapping[str, Any] = field(default_factory=dict)

    def one(self, key: str) -> Any:
        """The value of a key, or None."""
        return self.given.get(key)

    def many(self, key: str) -> Sequence[Any]:
        """The values of a key that holds several."""
        return cast(Sequence[Any], self.given.get(key) or ())


def read_pods(path: Path | None) -> Mapping[PodKind, PodSettings]:
    """The pod file; BadRequestError names the file, the path in it and what is allowed."""
    if path is None:
        return {}
    import yaml  # noqa: PLC0415 - comes with the extra [argo]

    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise BadRequestError(f"LUPUS_ARGO_POD_FILE: {error.strerror} ({path})") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadRequestError(f"LUPUS_ARGO_POD_FILE: {path} is not YAML: {error}") from None
    return pods_of(content or {})


def pods_of(content: object) -> Mapping[PodKind, PodSettings]:
    """The same from what the file holds."""
    kinds = _mapping(content, "")
    _refuse_unknown(kinds, KINDS, "")
    return {
        cast(PodKind, kind): _pod(cast(PodKind, kind), _mapping(given or {}, kind))
        for kind, given in kinds.items()
    }


def _pod(kind: PodKind, given: Mapping[str, Any]) -> PodSettings:
    _refuse_unknown(given, _KEYS, kind)
    # An empty value is as good as none: charts write them.
    found = {key: _value(key, value, f"{kind}.{key}") for key, value in given.items() if value}
    settings = PodSettings(found)
    for number, variable in enumerate(settings.many("env")):
        _check_variable(kind, variable, f"{kind}.env[{number}]")
    return settings


def _value(key: str, value: object, where: str) -> object:
    if key in _MODELS:
        return _model(_MODELS[key], value, where)
    if key in _LISTS:
        if not isinstance(value, list):
            raise _wrong(where, "a list", value)
        return [_model(_LISTS[key], item, f"{where}[{n}]") for n, item in enumerate(value)]
    if key in _MAPS:
        texts = _mapping(value, where)
        for name, text in texts.items():
            if not isinstance(text, str):
                raise _wrong(f"{where}.{name}", "a text (quote it)", text)
        return dict(texts)
    if not isinstance(value, str):
        raise _wrong(where, "a text", value)
    return value


def _model(name: str, value: object, where: str) -> Any:
    # Imported here and by name: pydantic is Hera's, this room does not use it otherwise.
    models = importlib.import_module("hera.workflows.models")
    plain = _quantities(_mapping(value, where)) if name == "ResourceRequirements" else value
    try:
        made = getattr(models, name).model_validate(_mapping(plain, where))
    except ValueError as error:
        raise BadRequestError(f"LUPUS_ARGO_POD_FILE: {_first_line(where, error)}") from None
    kept = made.model_dump(by_alias=True, exclude_none=True, mode="json")
    if lost := next(_lost(plain, kept, where), None):
        raise BadRequestError(f"LUPUS_ARGO_POD_FILE: {lost} is no field that Kubernetes knows here")
    return made


def _first_line(where: str, error: ValueError) -> str:
    errors = getattr(error, "errors", None)
    if errors is None:
        return f"{where}: {error}"
    first = errors()[0]
    path = "".join(f".{part}" for part in first["loc"])
    return f"{where}{path}: {first['msg']}"


def _quantities(resources: Mapping[str, Any]) -> Mapping[str, Any]:
    """``cpu: 2`` is as good as ``cpu: "2"``."""
    return {
        key: {name: str(amount) for name, amount in value.items()}
        if key in ("limits", "requests") and isinstance(value, dict)
        else value
        for key, value in resources.items()
    }


def _lost(given: object, kept: object, where: str) -> Iterator[str]:
    """Paths that a model has dropped without a word."""
    if isinstance(given, dict):
        known = kept if isinstance(kept, dict) else {}
        for key, value in given.items():
            if value is None:
                continue
            if key not in known:
                yield f"{where}.{key}"
            else:
                yield from _lost(value, known[key], f"{where}.{key}")
    elif isinstance(given, list) and isinstance(kept, list):
        for number, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from _lost(one, other, f"{where}[{number}]")


def _check_variable(kind: PodKind, variable: Any, where: str) -> None:
    name = variable.name
    if name.startswith(_NOBODY):
        raise BadRequestError(f"LUPUS_ARGO_POD_FILE: {where}: no pod gets {name}, steps need none")
    if kind == "detect" and name.startswith(_NOT_DETECT):
        raise BadRequestError(
            f"LUPUS_ARGO_POD_FILE: {where}: {name} is not for detect pods, which hold credentials "
            "of the object store only"
        )
    if name.startswith(_OURS_AND_CLOUDS) and name.endswith(_SECRET) and variable.value:
        raise BadRequestError(
            f"LUPUS_ARGO_POD_FILE: {where}: {name} is a secret and would stand in every workflow: "
            "give it by valueFrom.secretKeyRef"
        )


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _wrong(where or "the file", "keys with values", value)
    return value


def _refuse_unknown(given: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"allowed are {', '.join(known)}"
            path = f"{where}.{key}" if where else key
            raise BadRequestError(f"LUPUS_ARGO_POD_FILE: {path} is unknown: {hint}")


def _wrong(where: str, allowed: str, value: object) -> BadRequestError:
    return BadRequestError(
        f"LUPUS_ARGO_POD_FILE: {where} is {type(value).__name__}; allowed is {allowed}"
    )
