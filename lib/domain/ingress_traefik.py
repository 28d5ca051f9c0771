"""What Traefik v3 is told: its static document, and the dynamic one made of a site.

Source: doc.traefik.io/traefik/v3.7/reference, and a running 3.7.15, read 2026-11-26.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from lib.domain.ingress import Access, Limits, Route, Site
from lib.errors import Rejected

HTTP, HTTPS, RESOLVER = "web", "websecure", "main"
MARK = "potok"
HSTS_S = 31_536_000  # a year, the least that browsers' lists take
MARK_PATH = "/.well-known/potok-ingress/"
HEADER = "# Written by the flow `ingress`: change deployments/ingress.yaml instead.\n"
UPLOAD_S = 600  # a whole request; an answer, such as a stream of events, may take for ever
_DIRECTORY = re.compile(r"(?:/[A-Za-z0-9._-]+)+")
_MARK = re.compile(re.escape(MARK_PATH) + "[0-9a-f]{32}")
_TOP = 1_000_000

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Setup:
    """How Traefik itself is run.

    Attributes:
        directory: where it finds its files, and keeps its certificates.
        http, https: where it listens, as ``:80`` or ``10.0.0.1:80``.
        acme_email: whom the CA writes.
        acme_server: the CA's directory.
        acme_challenge: ``tls`` on port 443, or ``http`` on port 80.
        acme_ca: a file with the CA's own certificate, where no system trusts it.
    """

    directory: str
    acme_email: str
    acme_server: str
    acme_challenge: Literal["tls", "http"] = "tls"
    acme_ca: str | None = None
    http: str = ":80"
    https: str = ":443"

    def __post_init__(self) -> None:
        if not _DIRECTORY.fullmatch(self.directory):
            raise Rejected(
                f"directory {self.directory!r} should be a whole path of A-Z a-z 0-9 . _ -"
            )

    @property
    def dynamic(self) -> str:
        """The directory of the dynamic document, which Traefik watches."""
        return f"{self.directory}/dynamic"

    def users(self, name: str) -> str:
        """The file of a list of users."""
        return f"{self.directory}/users/{name}"


def static_from(setup: Setup) -> Document:
    """What Traefik reads when it starts; no dashboard, no API."""
    acme: Document = {
        "email": setup.acme_email,
        "caServer": setup.acme_server,
        "storage": f"{setup.directory}/acme.json",
        "keyType": "EC256",
    }
    acme |= {"caCertificates": [setup.acme_ca]} if setup.acme_ca else {}
    challenge: Document = {"tlsChallenge": {}}
    if setup.acme_challenge == "http":
        challenge = {"httpChallenge": {"entryPoint": HTTP}}
    return {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "INFO", "format": "json"},
        # Query strings and headers have tokens in them.
        "accessLog": {
            "format": "json",
            "fields": {
                "headers": {"defaultMode": "drop"},
                "queryParameters": {"defaultMode": "drop"},
            },
        },
        "entryPoints": {HTTP: _http(setup), HTTPS: _https(setup)},
        "providers": {"file": {"directory": setup.dynamic, "watch": True}},
        "certificatesResolvers": {RESOLVER: {"acme": acme | challenge}},
    }


def dynamic_from(site: Site, setup: Setup, users: Mapping[str, str] | None = None) -> Document:
    """What Traefik follows while it runs: routers, middlewares, services, TLS.

    One router more has a path made of all the others and of the users: who asks it learns whether
    Traefik has taken just this document.

    Args:
        site: the hosts.
        setup: where Traefik finds its files.
        users: the lists of users by name, as their files have them.
    """
    routers: Document = {}
    middlewares: Document = {"headers": _HEADERS}
    for route in site.routes:
        chain = _chain(site, setup, route)
        middlewares |= chain
        routers[_free(_slug(route), routers)] = {
            "rule": rule_of(route.host, route.path),
            "priority": len(route.path) + 1,
            "entryPoints": [HTTPS],
            "middlewares": ["headers", *chain],
            "service": route.service,
            "tls": {"certResolver": RESOLVER},
        }
    document: Document = {
        "http": {
            "routers": routers,
            "middlewares": middlewares,
            "services": {name: _service(site, name) for name in sorted(site.services)},
            "serversTransports": _TRANSPORTS,
        },
        "tls": {"options": {"default": {"minVersion": "VersionTLS12", "sniStrict": True}}},
    }
    routers[MARK] = _mark(json.dumps([document, users or {}]))
    return document


def mark_in(text: str) -> str:
    """The path that says of a dynamic document, as its text, that it was taken; "": it has none."""
    found = _MARK.search(text)
    return found[0] if found else ""


def _mark(of: str) -> Document:
    word = hashlib.sha256(of.encode()).hexdigest()[:32]
    return {
        "rule": f"Path(`{MARK_PATH}{word}`)",
        "priority": _TOP,
        "entryPoints": [HTTPS],
        "middlewares": ["headers"],
        "service": "noop@internal",  # answers 418
        "tls": {},
    }


def text_of(document: Document) -> str:
    """A document as the file that Traefik reads."""
    return HEADER + yaml.dump(document, Dumper=_Plain, sort_keys=False, width=1000)


def rule_of(host: str, path: str) -> str:
    """Traefik's rule for a path in whole segments: `PathPrefix` alone takes ``/hooksother`` too."""
    if not path:
        return f"Host(`{host}`)"
    return f"Host(`{host}`) && (Path(`{path}`) || PathPrefix(`{path}/`))"


class _Plain(yaml.SafeDumper):
    """YAML without anchors: what stands twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _http(setup: Setup) -> Document:
    to = {"to": HTTPS, "scheme": "https", "permanent": True}
    return {
        "address": setup.http,
        "transport": {"respondingTimeouts": {"readTimeout": "10s", "idleTimeout": "30s"}},
        "http": {"redirections": {"entryPoint": to}, "aliasHeadersStrategy": "delete"},
    }


def _https(setup: Setup) -> Document:
    times = {"readTimeout": f"{UPLOAD_S}s", "writeTimeout": "0s", "idleTimeout": "180s"}
    return {
        "address": setup.https,
        "asDefault": True,
        # What a client says of where it comes from counts for nothing.
        "forwardedHeaders": {"insecure": False, "trustedIPs": []},
        "transport": {"respondingTimeouts": times},
        "http": {
            "maxHeaderBytes": 65_536,
            "sanitizePath": True,
            "aliasHeadersStrategy": "delete",
            "encodedCharacters": {
                "allowEncodedBackSlash": False,
                "allowEncodedNullCharacter": False,
            },
        },
    }


def _chain(site: Site, setup: Setup, route: Route) -> Document:
    """The middlewares of a route, in their order: who, how often, by what name, how much."""
    access, found = route.access, Document()
    if len(site.hosts[route.host].accesses) > 1:
        # A server may read `/open/..%2Fclosed` otherwise than Traefik did when it let it in.
        found["plain-paths"] = {"encodedCharacters": _NO_ENCODED}
    if not access.is_open:
        ranges = [str(network) for network in site.networks_of(access)]
        found[_who(access)] = {"ipAllowList": {"sourceRange": ranges}}
    limits = site.limits[access.limits] if access.limits else Limits()
    if limits.rate_per_s:
        found[f"rate-{access.limits}"] = {"rateLimit": _rate(limits)}
    if access.users:
        file = {"usersFile": setup.users(access.users), "realm": access.users, "removeHeader": True}
        found[f"users-{access.users}"] = {"basicAuth": file}
    if limits.body_bytes:
        found[f"body-{access.limits}"] = {"buffering": {"maxRequestBodyBytes": limits.body_bytes}}
    return found


def _who(access: Access) -> str:
    return "who-" + "_".join(sorted(set(access.who)))


def _rate(limits: Limits) -> Document:
    whose = {"ipStrategy": {"ipv6Subnet": 64}}  # of one IPv6 customer are all addresses of a /64
    return {
        "average": limits.rate_per_s,
        "period": "1s",
        "burst": limits.burst,
        "sourceCriterion": whose,
    }


def _service(site: Site, name: str) -> Document:
    service = site.services[name]
    kind = "streams" if service.streams else "whole"
    balancer: Document = {
        "servers": [{"url": service.url}],
        "passHostHeader": True,
        "serversTransport": kind,
    }
    if service.streams:
        balancer["responseForwarding"] = {"flushInterval": "1ms"}
    return {"loadBalancer": balancer}


def _slug(route: Route) -> str:
    return re.sub(r"[^a-z0-9]+", "-", route.name.lower()).strip("-")


def _free(name: str, taken: Document) -> str:
    """The name, or with the first number behind it that nobody has."""
    found, number = name, 1
    while found in taken or found == MARK:
        number += 1
        found = f"{name}-{number}"
    return found


_HEADERS: Document = {
    "headers": {
        "stsSeconds": HSTS_S,
        "contentTypeNosniff": True,
        "customResponseHeaders": {"Server": "", "X-Powered-By": ""},  # "" takes them away
        # X-Forwarded-* and X-Real-Ip are set anew; these would go through as a client said them.
        "customRequestHeaders": {"Forwarded": "", "True-Client-Ip": "", "Cf-Connecting-Ip": ""},
    }
}
_NO_ENCODED: Document = {
    f"allowEncoded{what}": False
    for what in (
        *("Slash", "BackSlash", "NullCharacter", "Percent"),
        *("QuestionMark", "Hash", "Semicolon"),
    )
}
_TRANSPORTS: Document = {
    "whole": {"forwardingTimeouts": {"dialTimeout": "5s", "responseHeaderTimeout": "120s"}},
    "streams": {"forwardingTimeouts": {"dialTimeout": "5s", "responseHeaderTimeout": "0s"}},
}
