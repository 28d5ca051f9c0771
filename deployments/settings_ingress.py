"""What the environment says of Traefik; without `INGRESS_DIR` there is none for `ingress`."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


def _address(said: str) -> str:
    try:
        return str(ip_address(said))
    except ValueError:
        raise ValueError("should be an IP address, such as 203.0.113.5") from None


def _https(said: str) -> str:
    if not said.startswith("https://"):
        raise ValueError("should be an address that starts with https://")
    return said


Ip = Annotated[str, AfterValidator(_address)]


class IngressSettings(BaseSettings):
    """The part of the settings that is about Traefik."""

    model_config = SettingsConfigDict(alias_generator=str.upper)

    ingress_public_address: Ip | None = None
    ingress_vpn_address: Ip | None = None
    ingress_acme_email: str | None = None
    ingress_acme_server: Annotated[str, AfterValidator(_https)] = LETS_ENCRYPT
    ingress_acme_challenge: Literal["tls", "http"] = "tls"
    ingress_acme_ca: str | None = None
    ingress_dir: str | None = None  # last: what it needs is known by then

    @field_validator("ingress_dir")
    @classmethod
    def _with_all_that_it_needs(cls, directory: str | None, known: ValidationInfo) -> str | None:
        needs = ("ingress_public_address", "ingress_acme_email")
        lacking = [name.upper() for name in needs if known.data.get(name, "wrong") is None]
        if directory is not None and lacking:
            raise ValueError(f"is set, so {' and '.join(lacking)} should be, too")
        return directory
