"""Traefik: the block that says where it is, and the tasks that configure it and prove it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from prefect import task
from prefect.artifacts import acreate_table_artifact
from prefect.blocks.core import Block
from prefect.cache_policies import NO_CACHE
from pydantic import Field, HttpUrl

from blocks.alerts import tell, tell_if_possible
from lib.clients.ingress import IngressProbe, Way
from lib.clients.ingress_files import ACCEPTED, DYNAMIC, STATIC, IngressFiles
from lib.domain.ingress import Site
from lib.domain.ingress_checks import check_users, site_from
from lib.domain.ingress_proof import Ask, Finding, Side, asks_of, judged, news
from lib.domain.ingress_traefik import Setup, dynamic_from, mark_in, static_from, text_of
from lib.domain.texts import ingress_ill_text, ingress_restart_text, ingress_well_text
from lib.errors import PotokError, Rejected

log = logging.getLogger(__name__)

FILE = "ingress.yaml"  # what a refused file is called in alerts
AGAIN_S = 1.0  # between two looks at what was wrong


class IngressSite(Block):
    """A Traefik, and from where it is looked at."""

    _block_type_name = "potok ingress"
    _block_type_slug = "potok-ingress"
    _documentation_url = HttpUrl("https://doc.traefik.io/traefik/")

    file: str = Field(description="Path of ingress.yaml.")
    directory: str = Field(description="Where Traefik reads its files, by the same path as here.")
    public_address: str = Field(description="Traefik's address on the internet.")
    vpn_address: str | None = Field(default=None, description="Its address in the VPN, if any.")
    public_source: str | None = Field(default=None, description="As which the first is asked.")
    vpn_source: str | None = Field(default=None, description="As which the second is asked.")
    acme_email: str = Field(description="Whom the CA writes.")
    acme_server: str = Field(description="The CA's ACME directory.")
    acme_challenge: Literal["tls", "http"] = Field(default="tls", description="How it asks back.")
    acme_ca: str | None = Field(default=None, description="File of a CA that no system trusts.")

    @property
    def setup(self) -> Setup:
        """How Traefik itself is run."""
        return Setup(
            self.directory, self.acme_email, self.acme_server, self.acme_challenge, self.acme_ca
        )

    @property
    def ways(self) -> dict[Side, Way]:
        """From where it can be looked at."""
        found: dict[Side, Way] = {"outside": Way(self.public_address, self.public_source)}
        if self.vpn_address:
            found["vpn"] = Way(self.vpn_address, self.vpn_source)
        return found


@dataclass(frozen=True, slots=True)
class Configured:
    """What Traefik should serve now.

    Attributes:
        site: what holds; None: nothing was ever accepted.
        mark: the path that only its configuration has.
        is_new: it was written just now.
        refused: why the file's newest state does not hold; "" where it does.
    """

    site: Site | None
    mark: str = ""
    is_new: bool = False
    refused: str = ""


@dataclass(frozen=True, slots=True)
class IngressReport:
    """What a run found.

    Attributes:
        asked: how many proofs were tried; ``failing``: which of them fail, and why.
        fell_ill, healed: since a person was last told.
    """

    asked: int
    failing: dict[str, str]
    fell_ill: list[str]
    healed: list[str]

    @property
    def words(self) -> str:
        """What fails, for the state of the run; "" when nothing does."""
        told = "; ".join(f"{key}: {why}" for key, why in self.failing.items())
        return f"{len(self.failing)} of {self.asked} fail: {told}"[:1000] if told else ""


@task(cache_policy=NO_CACHE)
async def configure(block: IngressSite) -> Configured:
    """Write Traefik's configuration, if the file is right; a wrong one changes nothing."""
    files = IngressFiles(block.directory)
    try:
        raw = _source(block.file)
        site, static, dynamic = _rendered(raw, files, block.setup)
    except Rejected as exc:
        log.error("ingress.refused reason=%s", str(exc).replace("\n", "; "))
        return _as_it_was(files, str(exc))
    was_there = files.has(STATIC)
    changed = files.write({STATIC: static, DYNAMIC: dynamic, ACCEPTED: raw.decode()})
    log.info("ingress.configured routes=%d changed=%s", len(site.routes), changed)
    if STATIC in changed and was_there:
        await tell_if_possible(ingress_restart_text(f"{block.directory}/{STATIC}"))
    return Configured(site, mark_in(dynamic), is_new=bool({STATIC, DYNAMIC} & set(changed)))


@task(cache_policy=NO_CACHE)
async def prove(
    block: IngressSite, configured: Configured, again_s: float, taken_within_s: float
) -> list[Finding]:
    """Ask every route from every side.

    Args:
        block: where Traefik is.
        configured: what it should serve.
        again_s: for how long what is wrong is looked at again.
        taken_within_s: the same after a new configuration, for which certificates are issued.
    """
    if configured.site is None:
        return []
    within_s = taken_within_s if configured.is_new else again_s
    vpn_from = block.vpn_source or block.vpn_address
    asks = asks_of(configured.site, configured.mark, vpn_from)
    async with IngressProbe(block.ways, block.acme_ca) as probe:
        if configured.is_new:  # until it is taken, the old one would be proven
            await _settled(probe, [ask for ask in asks if ask.wanted == "mark"], within_s)
        return await _settled(probe, asks, within_s)


async def publish_proof(configured: Configured, found: Sequence[Finding]) -> None:
    """Leave a table with a row for each proof."""
    rows = [
        {
            "what": finding.ask.key,
            "asked": finding.ask.path,
            "wanted": finding.ask.wanted,
            "state": "failed" if finding.wrong else "ok",
            "why": finding.wrong,
            "certificate, days": "" if finding.days_left is None else finding.days_left,
        }
        for finding in found
    ]
    refused = f"The file is refused, the old one holds: {configured.refused}"
    await acreate_table_artifact(
        rows, key="ingress", description=refused if configured.refused else None
    )


async def tell_proof(
    block: IngressSite, configured: Configured, found: Sequence[Finding]
) -> IngressReport:
    """Tell a person of each failure once, and once when it is over; untold, next time."""
    failing = {finding.ask.key: finding.wrong for finding in found if finding.wrong}
    if configured.refused:
        failing = {FILE: configured.refused, **failing}
    files = IngressFiles(block.directory)
    told = files.told()
    asked = {FILE, *(finding.ask.key for finding in found)}
    fell, healed = news(told, failing, asked)
    for key, why in failing.items():
        log.warning("ingress.failed key=%s why=%s", key, why)
    try:
        if fell:
            await tell(ingress_ill_text(fell))
        if healed:
            await tell(ingress_well_text(healed))
    except PotokError as exc:
        log.error("alert.failed reason=%s", exc)
    else:
        known = {**told, **fell}
        files.keep_told({k: v for k, v in known.items() if k in asked and k not in healed})
    return IngressReport(len(asked), failing, list(fell), healed)


def _source(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise Rejected(f"{FILE} cannot be read: {exc.strerror}") from None


def _rendered(raw: bytes, files: IngressFiles, setup: Setup) -> tuple[Site, str, str]:
    """The site of a file, and both documents; Rejected when anything is wrong."""
    site = site_from(raw, FILE)
    users = {name: files.users(name) for name in site.users}
    for name, text in users.items():
        check_users(text, f"users/{name}")
    return site, text_of(static_from(setup)), text_of(dynamic_from(site, setup, users))


def _as_it_was(files: IngressFiles, refused: str) -> Configured:
    """What holds while the newest file is refused: it goes on being proven."""
    raw, dynamic = files.accepted()
    try:
        site = site_from(raw.encode(), FILE) if raw else None
    except Rejected:  # the rules have changed since
        site = None
    return Configured(site, mark_in(dynamic), refused=refused)


async def _settled(probe: IngressProbe, asks: Sequence[Ask], within_s: float) -> list[Finding]:
    """What is found once nothing is wrong, or the time is over."""
    over_at = time.monotonic() + within_s
    found = dict(zip(asks, await _look(probe, asks), strict=True))
    while wrong := [ask for ask, finding in found.items() if finding.wrong]:
        if time.monotonic() >= over_at:
            break
        await asyncio.sleep(AGAIN_S)
        found |= zip(wrong, await _look(probe, wrong), strict=True)
    return list(found.values())


async def _look(probe: IngressProbe, asks: Sequence[Ask]) -> list[Finding]:
    sights = await asyncio.gather(*(probe.look(ask) for ask in asks))
    now = datetime.now(UTC)
    return [judged(ask, sight, now) for ask, sight in zip(asks, sights, strict=True)]
