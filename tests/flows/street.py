"""A house on a street: the flow's view of a Traefik with a CA, an internet and a VPN."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from blocks.ingress import IngressSite
from tests.ingress_house import HOSTS, House, house
from tests.networks import networks
from tests.stack_fixture import LiveStack

USERS = "anna:$2y$05$abcdefghijklmnopqrstuulQElbHkP7vjLqXxb3Lzm18cJsfRyGH6\n"
FILE = """\
networks:
  vpn: [{vpn}]
users: [office]
limits:
  few: {{ rate_per_s: 1, burst: 3 }}
  small: {{ body_bytes: 1000 }}
services:
  web: {{ url: "{web}", proof: {{ path: /healthz, says: here is web }} }}
  models: {{ url: "{models}", streams: true, proof: {{ path: /v1, says: here is models }} }}
hosts:
  web.firma.test:
    service: web
    who: vpn
    paths:
      /hooks: {{ who: internet, limits: small, proof: {{ path: /hooks/x, says: here is web }} }}
      /few: {{ who: internet, limits: few, proof: {{ path: /few }} }}
      /office: {{ who: internet, users: office, proof: {{ path: /office }} }}
  models.firma.test:
    service: models
    who: internet
"""
LATE = "  late.firma.test: { service: web, who: vpn }\n"
WEB, MODELS, LATE_HOST = HOSTS


@dataclass
class Street:
    """The flow's view of a house: its file, its block, its runs, and what is told of them."""

    stack: LiveStack
    house: House
    file: str
    traefik: ExitStack = field(default_factory=ExitStack)
    first: list[tuple[dict[str, Any], list[str]]] = field(default_factory=list)

    async def save_block(self, name: str, challenge: str) -> None:
        net = self.house.net
        block = IngressSite(
            file=str(self.house.file),
            directory=str(self.house.directory),
            public_address=net.public,
            vpn_address=net.vpn,
            public_source=net.sources[0],
            vpn_source=net.sources[1],
            acme_email="it@firma.test",
            acme_server=self.house.acme,
            acme_challenge="http" if net.why else challenge,
            acme_ca=self.house.ca,
        )
        with temporary_settings({PREFECT_API_URL: self.stack.settings.prefect_api_url}):
            await block.asave(name, overwrite=True)

    async def run(self, text: str | None = None, **given: Any) -> tuple[dict[str, Any], list[str]]:
        """A run with the file as given; its end, and what a person was told."""
        self.house.file.write_text(text or self.file)
        before = len(await self.stack.sent())
        given = {"site": "town", "again_s": 0.0, "taken_within_s": 30.0} | given
        ended = await ran(self.stack, given)
        return ended, (await self.stack.sent())[before:]

    def start(self) -> None:
        """Start Traefik with what was written for it."""
        self.traefik.enter_context(self.house.traefik())


async def ran(stack: LiveStack, given: dict[str, Any]) -> dict[str, Any]:
    deployment = await stack.prefect("/deployments/name/ingress/main")
    body = {"parameters": given}
    run = await stack.prefect(f"/deployments/{deployment['id']}/create_flow_run", body)
    return await stack.run_ended(UUID(run["id"]))


def words(ended: dict[str, Any]) -> tuple[str, str]:
    return ended["state_type"], ended["state"]["message"] or ""


@pytest.fixture(scope="module")
async def street(
    stack: LiveStack, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Street]:
    """A house that was set up from nothing: configured, then its Traefik started, then proven."""
    home = tmp_path_factory.mktemp("ingress")
    with networks(*HOSTS) as net:
        if net.why:
            line = f"\ningress: no namespaces ({net.why}): 127.0.0.2 is the VPN, and 127.0.0.3"
            request.config.get_terminal_writer().line(f"{line} the internet; TLS-ALPN is not run")
        async with house(home, net) as built:
            users = built.directory / "users" / "office"
            users.parent.mkdir(parents=True)
            users.write_text(USERS)
            found = Street(stack, built, FILE.format(vpn=net.vpn_network, **built.urls))
            await found.save_block("town", "tls")
            with found.traefik:
                found.first.append(await found.run(taken_within_s=0.0))
                found.first.append(await found.run(taken_within_s=0.0))
                found.start()
                found.first.append(await found.run(again_s=30.0))
                yield found
