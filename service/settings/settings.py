"""All parts as one frozen object, which refuses what cannot go together."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, model_validator

from service.egress.egress import Egress
from service.egress.proxy import Proxy
from service.errors import SettingsError
from service.settings.checks import (
    ARCHIVES,
    DATABASES,
    INDEXES,
    OBJECTS,
    check_image,
    check_proxy,
    check_seen_by_pods,
    check_token,
    check_url,
    unknown_names,
)
from service.settings.door import Door
from service.settings.execution import Execution
from service.settings.limits import Limits
from service.settings.logs import Logs
from service.settings.messages import Messages
from service.settings.part import PREFIX, Part
from service.settings.stores import Stores
from storage.errors import InvalidError
from workflows.settings import WorkflowSettings

MIB = 1024 * 1024
PARTS: tuple[type[Part], ...] = (Stores, Execution, Door, Messages, Limits, Logs)


class Settings(Logs, Limits, Messages, Door, Execution, Stores):
    """What an operator may choose; every default is the embedded one."""

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, given: Any) -> Any:
        for name in secret_fields():
            path = os.environ.get(f"{PREFIX}{name.upper()}_FILE")
            if not path:
                continue
            if given.get(name):
                raise ValueError(
                    f"{PREFIX}{name.upper()} and {PREFIX}{name.upper()}_FILE are both set: keep one"
                )
            try:
                given = {**given, name: Path(path).read_text("utf-8").strip()}
            except OSError as error:
                raise ValueError(
                    f"{PREFIX}{name.upper()}_FILE: {error.strerror} ({path})"
                ) from None
        return given

    @model_validator(mode="after")
    def _refuse_impossible_mixes(self) -> Self:
        check_url("LUPUS_DATABASE", self.database_url, DATABASES)
        check_url("LUPUS_ARCHIVE", self.archive_url, ARCHIVES)
        check_url("LUPUS_INDEX", self.index_url, INDEXES)
        check_url("LUPUS_OBJECTS", self.objects_url, OBJECTS)
        if self.executor != "local":
            check_seen_by_pods(self.archive_url, self.index_url, self.objects_url)
            check_image(self.image)
        if self.argo_url and not self.argo_url.startswith(("http://", "https://")):
            raise ValueError("LUPUS_ARGO_URL must begin with http:// or https://")
        if self.index_url == self.database_url:
            raise ValueError(
                "LUPUS_INDEX and LUPUS_DATABASE name the same file: give the index its own, or "
                "accepting a request would wait for publishing"
            )
        if self.archive_url.rstrip("/") == self.objects_url.rstrip("/"):
            raise ValueError(
                "LUPUS_ARCHIVE and LUPUS_OBJECTS name the same folder: give each its own"
            )
        if self.public_url and not self.public_url.startswith(("http://", "https://")):
            raise ValueError("LUPUS_PUBLIC_URL must begin with http:// or https://")
        if self.secret_key and len(self.secret_key.get_secret_value()) < 32:
            raise ValueError("LUPUS_SECRET_KEY is too short: 32 characters or more")
        if self.admin_token:
            check_token("LUPUS_ADMIN_TOKEN", self.admin_token.get_secret_value())
        check_proxy(
            self.egress_proxy,
            self.egress_allow_hosts,
            self.egress_proxy_user,
            bool(self.secret("egress_proxy_password")),
        )
        if self.ca_bundle and not self.ca_bundle.is_file():
            raise ValueError(f"LUPUS_CA_BUNDLE: there is no file {self.ca_bundle}")
        return self

    @property
    def egress(self) -> Egress:
        """Where messages may go."""
        proxy = Proxy(
            self.egress_proxy,
            self.egress_allow_hosts,
            self.egress_proxy_user,
            self.secret("egress_proxy_password"),
        )
        return Egress(self.egress_allow, self.loopback, proxy=proxy if proxy.url else None)

    @cached_property
    def steps(self) -> WorkflowSettings:
        """What the workflows room needs."""
        return WorkflowSettings(
            executor=self.executor,
            processes=self.processes,
            chunk_seconds=self.chunk_seconds,
            task_timeout_seconds=self.task_timeout_seconds,
            worker_memory_mb=self.pool_memory_mb,
            max_labels=self.max_labels,
            max_label_length=self.max_label_length,
        )


def secret_fields() -> tuple[str, ...]:
    """Names of the fields that have a ``_FILE`` twin."""
    return tuple(
        name
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    )


def load_settings(**given: Any) -> Settings:
    """Read the environment; arguments win. SettingsError says which setting to change."""
    try:
        settings = Settings(**given)
        settings.stores  # noqa: B018  # reads the connections file now, not at the first request
    except ValidationError as error:
        raise SettingsError(_sentences(error)) from None
    except InvalidError as error:
        raise SettingsError(str(error)) from None
    return settings


def misspelt(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that look like settings and are none, each with the nearest that is."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {f"{PREFIX}{name.upper()}_FILE" for name in secret_fields()}
    return unknown_names(environment, known)


def _sentences(error: ValidationError) -> str:
    lines = []
    for one in error.errors(include_url=False, include_input=False):
        where = "".join(f"{PREFIX}{str(part).upper()}: " for part in one["loc"][:1])
        lines.append(where + one["msg"].removeprefix("Value error, "))
    return "; ".join(lines)
