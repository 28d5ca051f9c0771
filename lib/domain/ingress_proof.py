"""What is asked of every route, and what the answers mean."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Literal

from lib.domain.ingress import Route, Site
from lib.domain.ingress_traefik import HSTS_S

CERTIFICATE_FOR = timedelta(days=20)  # it has to be good for longer
BANNERS = ("server", "x-powered-by")
Side = Literal["outside", "vpn"]
Wanted = Literal["service", "refusal", "login", "redirect", "mark"]
_MAX_AGE = re.compile(r"max-age=(\d{1,12})")


@dataclass(frozen=True, slots=True)
class Ask:
    """One GET.

    Attributes:
        path: what is asked for.
        side: from where; ``outside`` is the internet.
        wanted: what should come: the service, a refusal (403), a question for name and password
            (401), the way to HTTPS, or the mark of the newest configuration.
        route: whom it proves; None: the host, or Traefik itself.
    """

    host: str
    path: str
    side: Side
    wanted: Wanted
    route: Route | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is asked over HTTP, without TLS."""
        return self.wanted == "redirect"

    @property
    def reads(self) -> bool:
        """Whether the answer's text matters; it may have no end."""
        return self.wanted == "service" and bool(self.route and self.route.proof.says)

    @property
    def key(self) -> str:
        """What a failure is called, in alerts and from one run to the next."""
        if self.wanted == "mark":
            return "Traefik"
        if self.route is None:
            return f"http://{self.host}"
        return f"{self.route.name} ({self.side})"


@dataclass(frozen=True, slots=True)
class Sight:
    """What came of it.

    Attributes:
        error: why nothing came; "" when something did.
        headers: by lower-case name.
        text: the beginning of the body.
        certificate_ends: of a certificate that is trusted and of this name; None: no TLS.
    """

    error: str = ""
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    certificate_ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """An ask, and what is wrong with its answer; "" when nothing is."""

    ask: Ask
    wrong: str
    days_left: int | None = None


def asks_of(site: Site, mark: str, vpn_from: str | None) -> list[Ask]:
    """Everything that proves a site.

    Args:
        site: what should hold.
        mark: the path that only the newest configuration has.
        vpn_from: an address that a caller in the VPN has; None: nothing can be asked from there.
    """
    found = [Ask(next(iter(site.hosts)), mark, "outside", "mark")]
    found += [Ask(host, "/", "outside", "redirect") for host in site.hosts]
    for route in site.routes:
        for side in _sides(vpn_from):
            lets_in = route.access.is_open or (
                side == "vpn" and vpn_from is not None and _is_in(site, route, vpn_from)
            )
            login: Wanted = "login" if route.access.users else "service"
            wanted: Wanted = login if lets_in else "refusal"
            found.append(Ask(route.host, route.proof.path, side, wanted, route))
    return found


def judged(ask: Ask, sight: Sight, now: datetime) -> Finding:
    """What is wrong with an answer, in a few words."""
    if sight.error:
        return Finding(ask, sight.error)
    left = sight.certificate_ends - now if sight.certificate_ends else None
    wrongs = list(_answer(ask, sight))
    if not ask.is_plain:
        wrongs += _headers(sight)
        if left is None or left <= CERTIFICATE_FOR:
            when = (
                "there is no certificate"
                if left is None
                else f"the certificate ends in {left.days} days"
            )
            wrongs.append(when)
    return Finding(ask, "; ".join(wrongs), None if left is None else left.days)


def news(
    told: Mapping[str, str], wrong: Mapping[str, str], asked: Collection[str]
) -> tuple[dict[str, str], list[str]]:
    """What a person has to be told.

    Args:
        told: failures that somebody was told of, with the reasons of then.
        wrong: failures of now.
        asked: all that was looked at; of the rest nobody knows, and nobody asks any more.

    Returns:
        Failures that are new, and those that are over.
    """
    fell = {key: why for key, why in wrong.items() if key not in told}
    return fell, [key for key in told if key not in wrong and key in asked]


def _sides(vpn_from: str | None) -> tuple[Side, ...]:
    return ("outside", "vpn") if vpn_from else ("outside",)


def _is_in(site: Site, route: Route, address: str) -> bool:
    return any(ip_address(address) in network for network in site.networks_of(route.access))


def _answer(ask: Ask, sight: Sight) -> Iterator[str]:
    status = sight.status
    if ask.wanted == "redirect":
        to = sight.headers.get("location", "")
        if status not in (301, 308) or not re.match(rf"https://{re.escape(ask.host)}(:\d+)?/", to):
            yield f"HTTP is answered {status}, and should lead to HTTPS"
    elif ask.wanted == "mark":
        if status != 418:
            yield f"Traefik has not taken the newest configuration (HTTP {status})"
    elif ask.wanted == "refusal":
        if status != 403:
            yield f"is answered {status}, and should be refused"
    elif ask.wanted == "login":
        if status != 401 or not sight.headers.get("www-authenticate", "").startswith("Basic"):
            yield f"is answered {status}, and should ask for name and password"
    elif ask.route is not None:
        proof = ask.route.proof
        if status not in proof.status:
            yield f"`{ask.route.service}` answers {status}, not {_or(proof.status)}"
        elif proof.says is not None and proof.says not in sight.text:
            yield f"the answer is not that of `{ask.route.service}`"


def _headers(sight: Sight) -> Iterator[str]:
    age = _MAX_AGE.search(sight.headers.get("strict-transport-security", ""))
    if age is None or int(age[1]) < HSTS_S:
        yield "no HSTS of a year"
    for name in BANNERS:
        if name in sight.headers:
            yield f"the header `{name}` is there"


def _or(statuses: Collection[int]) -> str:
    return " or ".join(map(str, statuses))
