"""Whether the file of the hosts makes sense: every problem with its line."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from pydantic import ValidationError

from lib.domain.document import document_from, lines_of
from lib.domain.ingress import (
    HOST,
    INTERNET,
    NAME,
    Access,
    Host,
    Limits,
    Proof,
    Service,
    Site,
    path_from,
)
from lib.domain.llm.table_words import near, words_of
from lib.errors import Rejected

_USER = re.compile(r"[A-Za-z0-9._@-]{1,64}:\$2[aby]\$(?:0[5-9]|1[0-4])\$[./A-Za-z0-9]{53}")
FILE_BYTES = 262_144
PROBLEMS = 10  # told at most
Place = tuple[str, ...]
Problem = tuple[Place, str]

_FIELDS = {
    name for model in (Site, Host, Access, Limits, Service, Proof) for name in model.model_fields
}


def site_from(raw: bytes, name: str) -> Site:
    """The site of a file.

    Args:
        raw: its YAML.
        name: of the file, for the error.

    Raises:
        Rejected: it makes no sense; each problem has a line of the message, with its own line.
    """
    if len(raw) > FILE_BYTES:
        raise Rejected(f"{name} is above {FILE_BYTES} bytes")
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise Rejected(f"{name} is no UTF-8") from None
    said = document_from(raw, name)
    try:
        site = Site.model_validate(said)
    except ValidationError as exc:
        problems = [_problem(error) for error in exc.errors()]
    else:
        problems = list(_problems(site))
    if problems:
        lines = lines_of(raw)
        told = sorted({(_line(place, lines), words) for place, words in problems})[:PROBLEMS]
        raise Rejected("\n".join(f"{name}, line {line}: {words}" for line, words in told))
    return site


def check_users(text: str, name: str) -> None:
    """Refuse a list of users that Traefik would not read, or that gives passwords away.

    Args:
        text: lines ``name:hash``.
        name: of the file, for the error.

    Raises:
        Rejected: with the number of the line, and nothing else of it.
    """
    lines = text.splitlines()
    if not any(line.strip() for line in lines):
        raise Rejected(f"{name} has no users: `htpasswd -nB NAME` makes a line of it")
    for number, line in enumerate(lines, 1):
        if line.strip() and not _USER.fullmatch(line):
            raise Rejected(f"{name}, line {number}: is no line of `htpasswd -nB NAME` (bcrypt)")


def _problems(site: Site) -> Iterator[Problem]:
    for kind in ("networks", "limits", "services"):
        for name in getattr(site, kind):
            yield from _of_name((kind, name), name)
    for index, name in enumerate(site.users):
        yield from _of_name(("users", str(index)), name)
    if INTERNET in site.networks:
        yield ("networks", INTERNET), f"`{INTERNET}` is the word for whoever comes: name it anew"
    for name, networks in site.networks.items():
        if not networks:
            yield ("networks", name), f"network `{name}` is empty: nobody could come"
    for name, host in site.hosts.items():
        yield from _of_host(site, name, host)


def _of_host(site: Site, name: str, host: Host) -> Iterator[Problem]:
    place = ("hosts", name)
    if not HOST.fullmatch(name):
        yield place, f"{name!r} is no host: write it whole and in lower case, such as n8n.firma.ru"
    if host.who is None and not host.paths:
        yield place, f"`{name}` lets nobody in: say `who`, or `paths`"
    if host.who is None and (host.users or host.limits):
        yield place, f"`{name}` has `users` or `limits` for no path: say `who` beside them"
    yield from _unknown((*place, "service"), "service", host.service, site.services)
    seen: dict[str, str] = {}
    for path, access in host.paths.items():
        here = (*place, "paths", path)
        if not _is_path(path):
            yield here, f"{path!r} is no path: it begins with / and has A-Z a-z 0-9 . _ ~ - /"
        plain = path.rstrip("/")
        if plain in seen:
            yield here, f"`{path}` and `{seen[plain]}` are one path"
        if not plain and host.who is not None:
            yield here, "`/` is what the host's own `who` is for"
        seen[plain] = path
        yield from _of_access(site, host, here, access)
        yield from _of_proof(site, host, here, plain)
    if host.who is not None:
        yield from _of_access(site, host, place, host.accesses[""])
        yield from _of_proof(site, host, place, "")


def _of_proof(site: Site, host: Host, place: Place, path: str) -> Iterator[Problem]:
    """What a service is known by has to be asked of the very path that it is to prove."""
    service = site.services.get(host.service)
    proof = host.accesses[path].proof or (service.proof if service else None)
    if proof is None:
        return
    owner = next((p for p in host.accesses if f"{proof.path}/".startswith(f"{p}/")), None)
    if owner != path:
        words = f"`{proof.path}` proves nothing of `{path or '/'}`: say another `proof`"
        yield place, words


def _of_access(site: Site, host: Host, place: Place, access: Access) -> Iterator[Problem]:
    if INTERNET in access.who and not access.is_open:
        yield (*place, "who"), f"`{INTERNET}` lets everybody in: say it alone, or leave it out"
    for name in access.who:
        if name != INTERNET:
            yield from _unknown((*place, "who"), "network", name, site.networks)
    if access.users is not None:
        yield from _unknown((*place, "users"), "list of users", access.users, site.users)
    if access.limits is None:
        return
    yield from _unknown((*place, "limits"), "limits", access.limits, site.limits)
    limits, service = site.limits.get(access.limits), site.services.get(host.service)
    if limits and limits.body_bytes and service and service.streams:
        words = f"`body_bytes` of `{access.limits}` would hold back what `{host.service}` streams"
        yield (*place, "limits"), words


def _is_path(said: str) -> bool:
    try:
        return bool(path_from(said))
    except ValueError:
        return False


def _of_name(place: Place, name: str) -> Iterator[Problem]:
    if not NAME.fullmatch(name):
        yield place, f"{name!r} is no name: a-z first, then a-z 0-9 -, at most 40"


def _unknown(place: Place, kind: str, name: str, known: Collection[str]) -> Iterator[Problem]:
    if name not in known:
        what = kind if kind == "service" else f"middleware: no {kind}"
        yield place, f"unknown {what} {name!r}" + (f": {near(name, known)}" if known else "")


def _problem(error: Any) -> Problem:
    place = tuple(str(part) for part in error["loc"] if part != "[key]")
    if place[-1:] == ("service",) and error["type"] in ("string_type", "extra_forbidden"):
        return place, f"{'.'.join(place)}: a host has one service; give another a host of its own"
    return place, words_of(error, _FIELDS)


def _line(place: Place, lines: dict[Place, int]) -> int:
    """Of the innermost part of a place that the file has; what is missing has none of its own."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)
