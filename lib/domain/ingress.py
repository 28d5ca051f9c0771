"""The hosts of the company: what stands behind each, who may come, and how much of it.

It is ``deployments/ingress.yaml``; here is what it may say, and whether it makes sense.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

INTERNET = "internet"  # the word for: whoever comes
OF_TRAEFIK = frozenset({401, 403, 404, 413, 418, 429})  # its own answers prove no service

# Traefik reads a rule as an expression and its files as Go templates: what is in none of these
# alphabets (backticks, quotes, braces, blanks) never comes near either.
NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.(?=[a-z0-9-]*[a-z]){_LABEL}")
_PATH = re.compile(r"(?=.{1,200}\Z)/(?:[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*/?)?")
_URL = re.compile(
    rf"https?://(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:]{{2,39}}\])(?::[1-9][0-9]{{0,4}})?"
)
Network = IPv4Network | IPv6Network


def _network(said: str) -> str:
    try:
        found = ip_network(said)
    except ValueError:
        try:
            meant = ip_network(said, strict=False)
        except ValueError:
            raise ValueError(f"{said!r} is no network: write 10.66.66.0/24 or 10.66.66.5") from None
        raise ValueError(f"{said!r} is an address in {meant}: which is meant?") from None
    if found.prefixlen == 0:
        raise ValueError(f"{said!r} is everybody: say `who: {INTERNET}` where that is meant")
    return str(found)


def path_from(said: str) -> str:
    """A path as it was said.

    Raises:
        ValueError: it is none, or has in it what servers read in two ways.
    """
    if not _PATH.fullmatch(said) or {".", ".."} & set(said.split("/")):
        raise ValueError(f"{said!r} is no path: it begins with / and has A-Z a-z 0-9 . _ ~ - /")
    return said


def _url(said: str) -> str:
    port = said.rpartition(":")[2]
    if not _URL.fullmatch(said) or (port.isdigit() and int(port) > 65_535):
        raise ValueError(f"{said!r} should be http://host:port, and nothing behind it")
    return said


def _list(said: Any) -> Any:
    return [said] if isinstance(said, str) else said


Status = Annotated[int, Field(ge=200, le=499)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Proof(_Strict):
    """By what a service is known: a GET of a path, its statuses, and words in the answer."""

    path: Annotated[str, AfterValidator(path_from)] = "/"
    status: tuple[Status, ...] = Field(default=(200,), min_length=1)
    says: str | None = Field(default=None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _is_no_answer_of_traefik(self) -> Proof:
        if self.says is None and (own := OF_TRAEFIK & set(self.status)):
            raise ValueError(f"Traefik itself answers {min(own)}: say what the service `says`")
        return self


class Service(_Strict):
    """What stands behind a host.

    Attributes:
        url: where Traefik reaches it.
        streams: its answers come piece by piece (SSE, NDJSON, WebSocket) and may take long.
    """

    url: Annotated[str, AfterValidator(_url)]
    streams: bool = False
    proof: Proof = Proof()


class Limits(_Strict):
    """How much one address may ask.

    Attributes:
        rate_per_s: requests a second that are kept up; ``burst``: at once above it.
        body_bytes: of a request; it and its answer are held back until they are whole.
    """

    rate_per_s: int | None = Field(default=None, ge=1, le=100_000)
    burst: int = Field(default=1, ge=1, le=100_000)
    body_bytes: int | None = Field(default=None, ge=1, le=1_073_741_824)


class Access(_Strict):
    """Who may come to a path, and what holds there; None: as the host says.

    Attributes:
        who: ``internet``, or networks of which one is enough.
        users: the list whose name and password are asked for besides.
    """

    who: Annotated[tuple[str, ...], BeforeValidator(_list), Field(min_length=1)]
    users: str | None = None
    limits: str | None = None
    proof: Proof | None = None

    @property
    def is_open(self) -> bool:
        """Whether any address may come."""
        return self.who == (INTERNET,)


class Host(_Strict):
    """A name, and the one service behind it.

    Attributes:
        who: of all that ``paths`` does not name; None: that is answered 404.
        paths: by the beginning of a path, in whole segments; the longest counts.
    """

    service: str
    who: Annotated[tuple[str, ...] | None, BeforeValidator(_list), Field(min_length=1)] = None
    users: str | None = None
    limits: str | None = None
    paths: dict[str, Access] = {}

    @property
    def accesses(self) -> dict[str, Access]:
        """By path, without a slash at its end, the longest first; "" is the whole host."""
        found = {path.rstrip("/"): access for path, access in self.paths.items()}
        if self.who is not None:
            found[""] = Access(who=self.who, users=self.users, limits=self.limits)
        return dict(sorted(found.items(), key=lambda item: (-len(item[0]), item[0])))


@dataclass(frozen=True, slots=True)
class Route:
    """A path of a host, and all that holds there."""

    host: str
    path: str
    service: str
    access: Access
    proof: Proof

    @property
    def name(self) -> str:
        """``host/path``."""
        return f"{self.host}{self.path or '/'}"


class Site(_Strict):
    """The whole file.

    Attributes:
        networks: addresses by name.
        users: names of lists; each is a file of htpasswd's.
    """

    networks: dict[str, tuple[Annotated[str, AfterValidator(_network)], ...]] = {}
    users: tuple[str, ...] = ()
    limits: dict[str, Limits] = {}
    services: dict[str, Service] = Field(min_length=1)
    hosts: dict[str, Host] = Field(min_length=1)

    @property
    def routes(self) -> list[Route]:
        """Every path of every host."""
        return [
            Route(
                name, path, host.service, access, access.proof or self.services[host.service].proof
            )
            for name, host in self.hosts.items()
            for path, access in host.accesses.items()
        ]

    def networks_of(self, access: Access) -> list[Network]:
        """Those that may come; none where anybody may."""
        names = [] if access.is_open else sorted(set(access.who))
        return [ip_network(said) for name in names for said in self.networks[name]]
