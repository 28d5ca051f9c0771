"""The file of the hosts: what it may say, and how it is refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.domain.document import document_from, lines_of
from lib.domain.ingress import INTERNET, Site
from lib.domain.ingress_checks import check_users, site_from
from lib.errors import Rejected
from tests.traefik import documents, raw_of

SHIPPED = Path(__file__).parents[2] / "deployments" / "ingress.yaml"
GOOD = """\
networks:
  vpn: [10.66.66.0/24]
users: [office]
limits:
  small: { body_bytes: 1000 }
services:
  web: { url: "http://127.0.0.1:8000" }
  models: { url: "http://127.0.0.1:8100", streams: true }
hosts:
  a.firma.ru:
    service: web
    who: vpn
    paths:
      /hooks: { who: internet, limits: small, proof: { path: /hooks/x } }
  b.firma.ru:
    service: models
    who: [vpn]
    users: office
"""


def refusal(text: str) -> str:
    with pytest.raises(Rejected) as refused:
        site_from(text.encode(), "ingress.yaml")
    return str(refused.value)


def test_what_is_right_is_read() -> None:
    site = site_from(GOOD.encode(), "ingress.yaml")
    assert [route.name for route in site.routes] == [
        "a.firma.ru/hooks",
        "a.firma.ru/",
        "b.firma.ru/",
    ]
    assert [route.access.is_open for route in site.routes] == [True, False, False]


def test_the_file_of_the_house_is_right() -> None:
    site = site_from(SHIPPED.read_bytes(), SHIPPED.name)
    telegram = next(r for r in site.routes if r.path == "/hooks/telegram")
    found = {str(network) for network in site.networks_of(telegram.access)}
    assert found == {"149.154.160.0/20", "91.108.4.0/22"}
    closed = {"prefect.fingroup.ru", "mcp.fingroup.ru"}
    assert {r.host for r in site.routes if r.access.who == ("vpn",)} >= closed
    assert not closed & {r.host for r in site.routes if r.access.is_open}


WRONG = [
    # two services on one host
    ("  b.firma.ru:\n", "  a.firma.ru:\n", "`a.firma.ru` stands twice, in lines 10 and 15"),
    ("service: models", "service: [models, web]", "line 16: hosts.b.firma.ru.service: a host has"),
    ("limits: small,", "service: models,", "line 14: hosts.a.firma.ru.paths./hooks.service: a hos"),
    ("  b.firma.ru:\n", "  A.firma.ru:\n", "line 15: 'A.firma.ru' is no host"),
    # unknown names
    ("limits: small", "limits: smal", "line 14: unknown middleware: no limits 'smal': is small me"),
    ("users: office", "users: ofice", "line 18: unknown middleware: no list of users 'ofice': is"),
    ("who: [vpn]", "who: [vpm]", "line 17: unknown middleware: no network 'vpm': is vpn meant?"),
    ("service: models", "service: model", "line 16: unknown service 'model': is models meant?"),
    ("limits: small", "middlewares: small", "line 14: hosts.a.firma.ru.paths./hooks.middlewares:"),
    # bad networks
    ("10.66.66.0/24", "10.66.66.0/33", "line 2: networks.vpn.0: '10.66.66.0/33' is no network"),
    ("10.66.66.0/24", "10.66.66.1/24", "line 2: networks.vpn.0: '10.66.66.1/24' is an address in"),
    ("10.66.66.0/24", "0.0.0.0/0", "line 2: networks.vpn.0: '0.0.0.0/0' is everybody"),
    ("[10.66.66.0/24]", "[]", "line 2: network `vpn` is empty"),
    ("  vpn: [", "  internet: [10.1.0.0/16]\n  vpn: [", "line 2: `internet` is the word for whoev"),
    ("who: [vpn]", "who: [vpn, internet]", "line 17: `internet` lets everybody in"),
    ("who: [vpn]", "who: []", "line 17: hosts.b.firma.ru.who: is empty"),
    # what would not work
    ("streams: true", "streams: 7", "line 8: services.models.streams"),
    ("users: office", "limits: small", "line 18: `body_bytes` of `small` would hold back what `mo"),
    ("path: /hooks/x", "path: /x", "line 14: `/x` proves nothing of `/hooks`"),
    ("proof: { path: /hooks/x }", "proof: { path: /hooks, status: [404] }", "Traefik itself answe"),
    ("    who: [vpn]\n", "", "line 15: `b.firma.ru` lets nobody in"),
    ("      /hooks:", "      /hooks/: { who: vpn }\n      /hooks:", "line 15: `/hooks` and `/hook"),
    ("      /hooks:", "      /: { who: vpn }\n      /hooks:", "line 14: `/` is what the host's ow"),
    # hostile
    ("      /hooks:", "      /ho`oks:", "line 14: '/ho`oks' is no path"),
    ("      /hooks:", "      /a/../b:", "line 14: '/a/../b' is no path"),
    ("      /hooks:", "      /a//b:", "line 14: '/a//b' is no path"),
    ("      /hooks:", "      /%68ooks:", "line 14: '/%68ooks' is no path"),
    ("  b.firma.ru:\n", "  b.firma.ru`) || Host(`c:\n", "line 15: 'b.firma.ru`) || Host(`c' is no"),
    ("  b.firma.ru:\n", "  '*.firma.ru':\n", "line 15: '*.firma.ru' is no host"),
    ("  b.firma.ru:\n", "  10.0.0.1:\n", "line 15: '10.0.0.1' is no host"),
    ("http://127.0.0.1:8000", 'http://{{ env `HOME` }}:8000', "line 7: services.web.url"),
    ("http://127.0.0.1:8000", "http://u:p@127.0.0.1:8000", "line 7: services.web.url"),
    ("http://127.0.0.1:8000", "http://127.0.0.1:8000/x", "line 7: services.web.url"),
    ("http://127.0.0.1:8000", "http://127.0.0.1:80000", "line 7: services.web.url"),
    ("users: [office]", "users: [../../etc/passwd]", "line 3: '../../etc/passwd' is no name"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "instead", "words"), WRONG, ids=[w for _, _, w in WRONG])
def test_what_is_wrong_is_refused_with_its_line(said: str, instead: str, words: str) -> None:
    assert said in GOOD
    assert words in refusal(GOOD.replace(said, instead))


def test_all_problems_are_told_in_the_order_of_their_lines() -> None:
    text = GOOD.replace("[vpn]", "[vpm]").replace("limits: small", "limits: large")
    assert [line.split(": ")[0] for line in refusal(text).split("\n")] == [
        "ingress.yaml, line 14",
        "ingress.yaml, line 17",
    ]


@settings(max_examples=25, deadline=None)
@given(documents())
def test_what_is_in_order_is_read(document: dict[str, Any]) -> None:
    site = site_from(raw_of(document), "f")
    assert set(site.hosts) == set(document["hosts"])
    for route in site.routes:
        assert bool(site.networks_of(route.access)) != (route.access.who == (INTERNET,))


PLACES: tuple[str, ...] = ("b.firma.ru", "/hooks", "vpn", "office", "web", "http://127.0.0.1:8000")


@given(st.sampled_from(PLACES), st.text(min_size=1, max_size=8), st.integers(0, 20))
def test_no_name_brings_a_rule_or_a_template_with_it(place: str, text: str, at: int) -> None:
    def put(value: Any) -> Any:
        if isinstance(value, dict):
            return {put(k): put(v) for k, v in value.items()}
        if isinstance(value, list):
            return [put(v) for v in value]
        return value[:at] + text + value[at:] if value == place else value

    said = put(document_from(GOOD.encode(), "f"))
    with suppress(Rejected):
        site: Site = site_from(raw_of(said), "f")
        shown = site.model_dump_json(exclude={"services": {"__all__": {"proof"}}})
        names = [*site.hosts, *site.networks, *site.users, *site.services]
        names += [path for host in site.hosts.values() for path in host.paths]
        names += [service.url for service in site.services.values()]
        assert not set("`'\"{}$\\ \n\t%*()|&!") & set("".join(names)), shown


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with suppress(Rejected):
        site_from(raw, "f")


def test_what_a_file_repeats_is_refused_in_no_time() -> None:
    laughs = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))
    assert "there is no such field" in refusal(f"l0: &l0 [ha]\n{laughs}\n")
    assert "line" in refusal("hosts: &a\n  x.ru: *a\nservices: {}\n")
    assert "above" in refusal("#" * 300_000)


@settings(max_examples=25, deadline=None)
@given(documents())
def test_every_key_has_the_line_that_it_stands_in(document: dict[str, Any]) -> None:
    raw = raw_of(document)
    shown = raw.decode().split("\n")
    for place, line in lines_of(raw).items():
        assert place[-1].isdigit() or place[-1] in shown[line - 1]


HASH = "$2y$10$" + "a" * 53


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no users"),
        ("\n \n", "has no users"),
        (f"anna:{HASH}\nboris:hidden\n", "line 2: is no line of"),
        ("anna:{SHA}hidden", "line 1"),
        ("anna:$apr1$hidden", "line 1"),
        (f"an na:{HASH}", "line 1"),
        (f"{HASH}", "line 1"),
    ],
)
def test_users_have_hashes_of_bcrypt(text: str, words: str) -> None:
    with pytest.raises(Rejected, match=words) as refused:
        check_users(text, "users/office")
    assert "hidden" not in str(refused.value)
    check_users(f"anna:{HASH}\n\nboris.b@firma.ru:{HASH}", "users/office")
