"""The flow on the whole stack, a real Traefik, a real CA, an internet and a VPN."""

from __future__ import annotations

import ssl
from pathlib import Path
from uuid import UUID

import httpx

from deployments.settings import ROOT
from lib.domain.ingress_checks import site_from
from tests.flows.street import LATE, LATE_HOST, MODELS, USERS, WEB, Street, ran, words
from tests.flows.street import street as street
from tests.stack_fixture import LiveStack


async def test_where_no_traefik_is_known_nothing_is_done(stack: LiveStack) -> None:
    before = await stack.sent()
    ended = await ran(stack, {})
    assert ended["state_type"] == "COMPLETED"
    assert "skipped" in ended["state"]["message"]
    assert await stack.artifacts(UUID(ended["id"])) == []
    assert await stack.sent() == before


async def test_it_is_set_up_from_nothing(street: Street) -> None:
    (absent, told), (still_absent, told_again), (there, healed) = street.first
    assert absent["state_type"] == still_absent["state_type"] == "FAILED"
    assert [("внешний вход не в порядке" in t, "Traefik: not reached" in t) for t in told] == [
        (True, True)
    ]
    assert told_again == []
    assert there["state_type"] == "COMPLETED", words(there)
    assert ["снова в порядке" in text for text in healed] == [True]


async def test_each_route_is_a_row_of_the_table(street: Street) -> None:
    ended, told = await street.run()
    assert (ended["state_type"], told) == ("COMPLETED", [])
    [table] = await street.stack.artifacts(UUID(ended["id"]))
    assert {row["what"]: row["wanted"] for row in table} == {
        "Traefik": "mark",
        f"http://{WEB}": "redirect",
        f"http://{MODELS}": "redirect",
        f"{WEB}/ (outside)": "refusal",
        f"{WEB}/ (vpn)": "service",
        f"{WEB}/hooks (outside)": "service",
        f"{WEB}/hooks (vpn)": "service",
        f"{WEB}/few (outside)": "service",
        f"{WEB}/few (vpn)": "service",
        f"{WEB}/office (outside)": "login",
        f"{WEB}/office (vpn)": "login",
        f"{MODELS}/ (outside)": "service",
        f"{MODELS}/ (vpn)": "service",
    }
    assert {row["state"] for row in table} == {"ok"}
    days = {row["certificate, days"] for row in table if row["wanted"] != "redirect"}
    assert days <= {39, 40}


async def test_who_comes_from_outside_is_not_let_in_whatever_they_say(street: Street) -> None:
    vpn = street.house.net.vpn
    forged = {"x-forwarded-for": vpn, "x-real-ip": vpn, "forwarded": f"for={vpn}"}
    forged |= {"true-client-ip": vpn, "cf-connecting-ip": vpn}
    asks = [
        {"host": WEB, "path": "/"},
        {"host": WEB, "path": "/", "headers": forged},
        {"host": WEB, "path": "/hooksother"},
        {"host": WEB, "path": "/hooks/../secret"},
        {"host": WEB, "path": "/hooks/..%2Fsecret"},
        {"host": WEB, "path": "/hooks/..%5Csecret"},
        {"host": "other.firma.test", "path": "/"},
        {"host": WEB, "path": "/a?b=c", "scheme": "http"},
        {"host": WEB, "path": "/hooks/x", "headers": forged | {"x_forwarded_for": vpn}},
    ]
    seen = street.house.shops["web"].seen
    seen.clear()
    answers = await street.house.look("internet", *asks)
    statuses = [answer.get("status") for answer in answers]
    assert statuses == [403, 403, 403, 403, 400, 400, None, 301, 200]
    assert answers[7]["headers"]["location"] == f"https://{WEB}/a?b=c"
    for answer in answers[:5]:  # the next is refused before there is a route
        assert answer["headers"]["strict-transport-security"] == "max-age=31536000"
    assert not {"server", "x-powered-by"} & set(answers[8]["headers"])
    [heard] = seen
    assert "x_forwarded_for" not in heard["headers"]
    assert vpn not in str(heard["headers"])
    [inside] = await street.house.look("vpn", {"host": WEB, "path": "/"})
    assert inside["text"].startswith("here is web")


async def test_a_name_and_a_password_open_and_go_no_further(street: Street) -> None:
    login = {"authorization": httpx.BasicAuth("anna", "pass-word")._auth_header}
    wrong = {"authorization": httpx.BasicAuth("anna", "other")._auth_header}
    asks = [{"host": WEB, "path": "/office", "headers": h} for h in ({}, wrong, login)]
    street.house.shops["web"].seen.clear()
    answers = await street.house.look("internet", *asks)
    assert [answer["status"] for answer in answers] == [401, 401, 200]
    [heard] = street.house.shops["web"].seen
    assert "authorization" not in heard["headers"]


async def test_there_is_a_limit_to_what_and_how_often_one_asks(street: Street) -> None:
    small = [{"host": WEB, "path": "/hooks/x", "bytes": size} for size in (1000, 1001)]
    answers = await street.house.look("internet", *small)
    assert [answer["status"] for answer in answers] == [200, 413]
    answers = await street.house.look("internet", *[{"host": WEB, "path": "/few"}] * 12)
    statuses = [answer["status"] for answer in answers]
    assert statuses[0] == 200
    assert 429 in statuses


async def test_old_tls_is_not_spoken(street: Street) -> None:
    [answer] = await street.house.look("internet", {"host": MODELS}, old=True)
    assert "alert" in answer["error"].lower()


async def test_a_stream_is_not_held_back(street: Street) -> None:
    net, shop = street.house.net, street.house.shops["models"]
    trust = ssl.create_default_context(cafile=street.house.ca)
    wire = httpx.AsyncHTTPTransport(verify=trust, local_address=net.sources[0])
    async with (
        httpx.AsyncClient(transport=wire, timeout=20.0) as client,
        client.stream(
            "GET",
            f"https://{net.public}/v1/stream",
            headers={"host": MODELS},
            extensions={"sni_hostname": MODELS},
        ) as answer,
    ):
        pieces = answer.aiter_text()
        assert "first" in await anext(pieces)
        shop.more.set()  # the service says no more before this
        assert "last" in await anext(pieces)


async def test_what_the_house_knows_its_own_services_by_is_so(stack: LiveStack) -> None:
    site = site_from((ROOT / "deployments" / "ingress.yaml").read_bytes(), "ingress.yaml")
    own = {
        "gateway": stack.settings.gateway_url,
        "models": stack.settings.llm_url,
        "prefect": stack.settings.prefect_ui_url,
    }
    for route in site.routes:
        if route.service in own:
            answer = await stack.http.get(own[route.service] + route.proof.path)
            assert answer.status_code in route.proof.status, route.name
            assert (route.proof.says or "") in answer.text, route.name


async def test_a_wrong_file_changes_nothing_and_is_told_once(street: Street) -> None:
    def written() -> dict[str, bytes]:
        paths = (*Path(street.house.directory).glob("*.yaml"), *street.house.directory.glob("*/*"))
        return {str(path): path.read_bytes() for path in paths}

    before = written()
    bad = street.file.replace("limits: small", "limits: smal")
    for index in (0, 1):
        ended, told = await street.run(bad)
        state, message = words(ended)
        assert state == "FAILED"
        assert "ingress.yaml, line 15: unknown middleware: no limits 'smal'" in message
        assert len(told) == (1 if index == 0 else 0)
        assert written() == before
    [table] = await street.stack.artifacts(UUID(ended["id"]))
    assert {row["state"] for row in table} == {"ok"}, "the old one is served, and proven"
    ended, told = await street.run()
    assert ended["state_type"] == "COMPLETED"
    assert ["ingress.yaml" in text for text in told] == [True]


async def test_users_that_are_missing_or_give_passwords_away_are_refused(street: Street) -> None:
    users = street.house.directory / "users" / "office"
    users.write_text("anna:hidden\n")
    try:
        ended, told = await street.run()
        assert "users/office, line 1" in words(ended)[1]
        assert "hidden" not in str(ended) + str(told)
    finally:
        users.write_text(USERS)
    _, told = await street.run()
    assert len(told) == 1, "it is over"


async def test_another_service_behind_a_host_is_told_once_and_once_when_it_is_back(
    street: Street,
) -> None:
    shop = street.house.shops["models"]
    shop.name = "somebody else"
    try:
        ended, told = await street.run()
        assert f"{MODELS}/ (outside): the answer is not that of `models`" in words(ended)[1]
        assert len(told) == 1
        assert (await street.run())[1] == []
    finally:
        shop.name = "models"
    ended, told = await street.run()
    assert ended["state_type"] == "COMPLETED"
    assert len(told) == 1
    assert f"{MODELS}/ (vpn)" in told[0]


async def test_a_host_more_is_served_and_proven_in_the_same_run(street: Street) -> None:
    ended, told = await street.run(street.file + LATE)
    assert words(ended)[0] == "COMPLETED", words(ended)
    assert told == []
    [table] = await street.stack.artifacts(UUID(ended["id"]))
    assert f"{LATE_HOST}/ (vpn)" in {row["what"] for row in table}


async def test_static_settings_want_a_restart_and_a_person_is_told(street: Street) -> None:
    await street.save_block("town-http", "http")
    ended, told = await street.run(site="town-http")
    assert ended["state_type"] == "COMPLETED"
    assert any("перезапустить" in text for text in told) != bool(street.house.net.why)
    street.traefik.close()
    (street.house.directory / "acme.json").unlink()
    street.start()
    ended, _ = await street.run(site="town-http", again_s=30.0)
    assert ended["state_type"] == "COMPLETED", words(ended)
    assert "http-01" in (street.house.home / "traefik.log").read_text()


async def test_the_log_has_no_query_string(street: Street) -> None:
    await street.house.look("internet", {"host": MODELS, "path": "/v1/x?key=hidden-word"})
    log = (street.house.home / "traefik.log").read_text()
    assert '"RequestPath":"/v1/x"' in log
    assert "hidden-word" not in log
