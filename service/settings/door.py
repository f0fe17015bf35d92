"""Where the service listens, and who may come in."""

from pydantic import Field, SecretStr

from service.settings.checks import is_loopback
from service.settings.part import Part


class Door(Part):
    """Where the service listens, and who may come in."""

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. Anything but a loopback address needs a token first: "
        "`lupus-server token create`.",
    )
    port: int = Field(8700, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str = Field(
        "",
        description="Where people reach this service, for links in messages: "
        "`https://lupus.example.com`. Empty: messages carry no links.",
    )
    report_link_days: int = Field(
        30,
        ge=0,
        le=3650,
        description="Days for which the link to a run's report in a message opens it without a "
        "token, see [report.md](report.md). 0: links carry no key, and no key is taken.",
    )
    local_admin: bool = Field(
        True,
        description="Whether a request without a token is the local administrator, on a loopback "
        "address only. Set false when other people work on the same machine.",
    )
    admin_token: SecretStr | None = Field(
        None,
        description="Token of an administrator that is in no database, so that a service which "
        "others can reach may start for the first time: `lps_` and 32 characters or more.",
    )
    token_max_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="Longest life of a token in days, from when it is made or prolonged; 0: no "
        "limit, and a token may never expire. Tokens that are there keep their end.",
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Encrypts the secrets of channels at rest: at least 32 characters. Default: "
        "made once and kept in `secret.key` in the data folder.",
    )
    metrics_public: bool = Field(
        False,
        description="Whether `/metrics`, which names sources and rules, needs no token.",
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port on which `worker`, which answers no other HTTP, shows what it counted "
        "to Prometheus, without a token and without names of sources or rules; 0 takes a free one. "
        "Default: none.",
    )
    metrics_host: str = Field(
        "127.0.0.1", description="Address of that port; 0.0.0.0 where Prometheus is elsewhere."
    )
    auto_create_sources: bool | None = Field(
        None,
        description="Whether the first points of an unknown source create it. Default: only on a "
        "loopback address.",
    )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return is_loopback(self.host)

    @property
    def creates_sources(self) -> bool:
        """Whether the first points of an unknown source create it."""
        return self.loopback if self.auto_create_sources is None else self.auto_create_sources
