"""The block that switches `ingress` on is made of the environment, and of nothing else."""

from __future__ import annotations

from pathlib import Path

from blocks.ingress import IngressSite
from deployments.provision import blocks_from
from deployments.settings import Settings
from deployments.settings_ingress import LETS_ENCRYPT

DATABASE = "postgresql://u:p@db/potok"


def sites(**given: str) -> list[IngressSite]:
    settings = Settings(DATABASE_URL=DATABASE, **given)
    return [block for _, block in blocks_from(settings) if isinstance(block, IngressSite)]


def test_without_a_directory_there_is_no_traefik() -> None:
    assert sites() == []
    assert sites(INGRESS_PUBLIC_ADDRESS="203.0.113.5", INGRESS_ACME_EMAIL="it@firma.ru") == []


def test_with_a_directory_there_is_one() -> None:
    given = {"INGRESS_PUBLIC_ADDRESS": "203.0.113.5", "INGRESS_ACME_EMAIL": "it@firma.ru"}
    [site] = sites(INGRESS_DIR="/etc/traefik/potok", INGRESS_VPN_ADDRESS="10.66.66.1", **given)
    assert Path(site.file).read_text().startswith("# The hosts of the company")
    assert site.setup.directory == "/etc/traefik/potok"
    assert site.acme_server == LETS_ENCRYPT
    assert {side: way.address for side, way in site.ways.items()} == {
        "outside": "203.0.113.5",
        "vpn": "10.66.66.1",
    }
