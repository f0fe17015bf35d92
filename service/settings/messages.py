"""Where messages may go."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from service.settings.checks import split_list
from service.settings.part import Part

Network = IPv4Network | IPv6Network
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(split_list)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)]


class Messages(Part):
    """Where messages may go."""

    egress_allow: Networks = Field(
        (),
        description="Internal networks that channels may reach, as CIDRs with commas: "
        "`10.20.0.0/16,fd00::/8`. All other addresses must be public.",
    )
    egress_proxy: str = Field(
        "",
        description="Proxy that channels' messages take to the outside, where it is reached only "
        "through one: `http://proxy:3128`, see [egress.md](egress.md). Variables such as "
        "`HTTPS_PROXY` are not read.",
    )
    egress_proxy_user: str = Field("", description="User at the proxy.")
    egress_proxy_password: SecretStr | None = Field(None, description="Password of that user.")
    egress_allow_hosts: Names = Field(
        (),
        description="Names that may be reached through the proxy, with commas: "
        "`hooks.slack.com,*.example.com`. Needed with a proxy, which resolves them itself.",
    )
    slack_api: str = Field(
        "https://slack.com/api",
        description="Where bots post: change it only for a gateway that stands before Slack.",
    )
