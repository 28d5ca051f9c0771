"""What Traefik is told: rules on the documents, and a real Traefik that takes each of them."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.domain.ingress import Site
from lib.domain.ingress_checks import site_from
from lib.domain.ingress_traefik import (
    Setup,
    dynamic_from,
    mark_in,
    static_from,
    text_of,
)
from lib.errors import Rejected
from tests.domain.test_ingress import GOOD, SHIPPED
from tests.support import free_port
from tests.traefik import PATHS, documents, raw_of, traefik

SETUP = Setup("/etc/traefik/potok", "it@firma.ru", "https://acme.test/directory")
RULE = re.compile(r"Host\(`([^`]+)`\)(?: && \(Path\(`([^`]+)`\) \|\| PathPrefix\(`([^`]+)`\)\))?")

few = settings(max_examples=25, deadline=None)  # each is a whole file, read and rendered


def site_of(document: dict[str, Any]) -> Site:
    return site_from(raw_of(document), "f")


def mark(dynamic: dict[str, Any]) -> str:
    return mark_in(text_of(dynamic))


def routers_of(site: Site) -> dict[str, Any]:
    found = dynamic_from(site, SETUP)["http"]["routers"]
    return {name: router for name, router in found.items() if name != "potok"}


def matches(rule: str, host: str, path: str) -> bool:
    """What Traefik makes of a rule."""
    found = RULE.fullmatch(rule)
    assert found, rule
    whose, exact, below = found.groups()
    return whose == host and (exact is None or path == exact or path.startswith(below))


@few
@given(documents(), PATHS)
def test_no_two_routers_overlap(document: dict[str, Any], path: str) -> None:
    site = site_of(document)
    routers = routers_of(site)
    assert len(routers) == len(site.routes)
    for host, mine in itertools.product(
        site.hosts, [path, *site.hosts[next(iter(site.hosts))].paths]
    ):
        found = [r for r in routers.values() if matches(r["rule"], host, mine)]
        assert len({r["priority"] for r in found}) == len(found), "which of them wins is chance"
        owners = [p for p in site.hosts[host].accesses if f"{mine}/".startswith(f"{p}/")]
        assert bool(found) == bool(owners)
        if found:
            winner = max(found, key=lambda r: r["priority"])
            whole = RULE.fullmatch(winner["rule"])
            assert whole is not None
            assert (whole[2] or "") == max(owners, key=len)


@few
@given(documents())
def test_a_closed_route_asks_where_the_connection_comes_from(document: dict[str, Any]) -> None:
    site = site_of(document)
    dynamic = dynamic_from(site, SETUP)
    middlewares = dynamic["http"]["middlewares"]
    for route, router in zip(site.routes, routers_of(site).values(), strict=True):
        lists = [middlewares[n] for n in router["middlewares"] if "ipAllowList" in middlewares[n]]
        if route.access.is_open:
            assert lists == []
            continue
        [one] = lists
        assert one["ipAllowList"].keys() == {"sourceRange"}, "a strategy would trust a header"
        assert one["ipAllowList"]["sourceRange"] == [str(n) for n in site.networks_of(route.access)]
    trusted = static_from(SETUP)["entryPoints"]["websecure"]["forwardedHeaders"]
    assert trusted == {"insecure": False, "trustedIPs": []}


@few
@given(documents())
def test_every_route_has_what_the_file_says_in_its_order(document: dict[str, Any]) -> None:
    site = site_of(document)
    dynamic = dynamic_from(site, SETUP)
    middlewares = dynamic["http"]["middlewares"]
    order = ("headers", "encodedCharacters", "ipAllowList", "rateLimit", "basicAuth", "buffering")
    for route, router in zip(site.routes, routers_of(site).values(), strict=True):
        kinds = [next(iter(middlewares[name])) for name in router["middlewares"]]
        assert kinds == [kind for kind in order if kind in kinds]
        limits = site.limits.get(route.access.limits or "")
        assert ("rateLimit" in kinds) == bool(limits and limits.rate_per_s)
        assert ("buffering" in kinds) == bool(limits and limits.body_bytes)
        assert ("basicAuth" in kinds) == bool(route.access.users)
        assert ("encodedCharacters" in kinds) == (len(site.hosts[route.host].accesses) > 1)
        if site.services[route.service].streams:
            assert "buffering" not in kinds, "it would hold the stream back"


@few
@given(documents())
def test_the_text_is_the_document_and_no_template(document: dict[str, Any]) -> None:
    dynamic = dynamic_from(site_of(document), SETUP)
    text = text_of(dynamic)
    assert yaml.safe_load(text) == dynamic
    assert "{{" not in text
    assert dynamic["http"]["routers"]["potok"]["rule"] == f"Path(`{mark_in(text)}`)"


@few
@given(documents(), documents())
def test_another_document_has_another_mark(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = (dynamic_from(site_of(document), SETUP) for document in (one, other))
    assert (mark(first) == mark(second)) == (first == second)


def test_other_users_are_another_document() -> None:
    site = site_from(GOOD.encode(), "f")
    found = [mark(dynamic_from(site, SETUP, {"office": users})) for users in ("a", "a", "b")]
    assert found[0] == found[1] != found[2]


def test_the_static_document_has_no_open_door() -> None:
    static = static_from(SETUP)
    assert not {"api", "ping", "metrics"} & static.keys()
    assert set(static["entryPoints"]) == {"web", "websecure"}
    fields = static["accessLog"]["fields"]
    assert fields["queryParameters"] == fields["headers"] == {"defaultMode": "drop"}


@pytest.mark.parametrize("directory", ["relative", "/a b", "/a/{{env}}", "/", "", "/a\n"])
def test_a_directory_is_a_plain_path(directory: str) -> None:
    with pytest.raises(Rejected, match="whole path"):
        Setup(directory, "it@firma.ru", "https://acme.test/directory")


class Judge:
    """A real Traefik that takes one site after another, and says what it makes of each."""

    def __init__(self, setup: Setup, api: str) -> None:
        self.setup, self._api = setup, api

    def check(self, site: Site) -> None:
        """Let it take a site.

        Raises:
            AssertionError: a router, a middleware or a service has an error, or is not there.
        """
        dynamic = dynamic_from(site, self.setup)
        path = Path(self.setup.dynamic, "potok.yaml")
        spare = path.with_name("spare")
        spare.write_text(text_of(dynamic))
        spare.replace(path)
        routers = self._until(mark(dynamic))
        assert set(routers) == set(dynamic["http"]["routers"])
        wrong = {name: r.get("error") for name, r in routers.items() if r["status"] != "enabled"}
        assert wrong == {}
        for kind in ("middlewares", "services"):
            found = self._read(kind)
            assert {n: f.get("error") for n, f in found.items() if f["status"] != "enabled"} == {}
            used = set(dynamic["http"][kind])
            assert used == set(found)

    def _until(self, path: str) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while True:
            routers = self._read("routers")
            if path in routers.get("potok", {}).get("rule", ""):
                return routers
            assert time.monotonic() < deadline, "the document was not taken"

    def _read(self, kind: str) -> dict[str, Any]:
        url = f"{self._api}/api/http/{kind}?per_page=1000"
        try:
            answer = httpx.get(url, timeout=5, trust_env=False)
        except httpx.ConnectError:  # it starts
            return {}
        found = answer.json() if answer.status_code == 200 else []
        return {
            entry["name"].removesuffix("@file"): entry
            for entry in found
            if entry["name"].endswith("@file")
        }


def started(directory: Path, **given: Any) -> tuple[Setup, Path, int]:
    """What a Traefik is started with: ours, and an API that says what it made of that."""
    setup = Setup(
        str(directory),
        "it@firma.ru",
        f"https://127.0.0.1:{free_port()}/directory",
        http=f"127.0.0.1:{free_port()}",
        https=f"127.0.0.1:{free_port()}",
        **given,
    )
    port = free_port()
    static = static_from(setup) | {"api": {"insecure": True}}
    static["entryPoints"]["traefik"] = {"address": f"127.0.0.1:{port}"}
    static["providers"]["providersThrottleDuration"] = "1ms"
    (directory / "dynamic").mkdir()
    (directory / "users").mkdir()
    (directory / "users" / "office").write_text("anna:$2y$05$" + "a" * 53 + "\n")
    path = directory / "traefik.yaml"
    path.write_text(text_of(static))
    return setup, path, port


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    setup, static, port = started(tmp_path_factory.mktemp("traefik"))
    with traefik(static, static.with_name("log")):
        yield Judge(setup, f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("raw", [GOOD.encode(), SHIPPED.read_bytes()], ids=["good", "shipped"])
def test_a_real_traefik_takes_the_files_of_the_house(judge: Judge, raw: bytes) -> None:
    judge.check(site_from(raw, "f"))


@settings(max_examples=8, deadline=None)
@given(document=documents())
def test_a_real_traefik_takes_every_site(judge: Judge, document: dict[str, Any]) -> None:
    judge.check(site_of(document))


@pytest.mark.parametrize("challenge", ["tls", "http"])
@pytest.mark.parametrize("has_ca", [False, True])
def test_a_real_traefik_starts_with_every_setup(
    tmp_path: Path, challenge: str, has_ca: bool
) -> None:
    ca = tmp_path / "ca.crt"
    ca.touch()
    given = {"acme_challenge": challenge, "acme_ca": str(ca) if has_ca else None}
    setup, static, port = started(tmp_path, **given)
    log = tmp_path / "log"
    with traefik(static, log):
        Judge(setup, f"http://127.0.0.1:{port}").check(site_from(GOOD.encode(), "f"))
    words = log.read_text()
    assert '"level":"fatal"' not in words
    assert "field not found" not in words


@given(st.sampled_from(["/hooksother", "/hook", "/Hooks", "/"]))
def test_a_path_is_whole_segments(path: str) -> None:
    rule = next(iter(routers_of(site_from(GOOD.encode(), "f")).values()))["rule"]
    assert matches(rule, "a.firma.ru", "/hooks/x")
    assert matches(rule, "a.firma.ru", "/hooks")
    assert not matches(rule, "a.firma.ru", path)
