"""The Bitrix24 client against the stand-in portal, over real HTTP."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator

import pytest

from deployments.sandbox.bitrix import Portal
from lib.clients.bitrix import Bitrix, Command, EntityType, NotFound, Reference, by_key
from lib.errors import AnswerLost, Denied, PotokError, RateLimited, Rejected, Unavailable
from tests.clients.books import CODE


@pytest.fixture
async def crm(base_url: str, portal: Portal) -> AsyncIterator[Bitrix]:
    async with Bitrix(f"{base_url}/bitrix/rest/1/{CODE}/", timeout_s=5) as client:
        yield client


def lead(title: str, **fields: object) -> dict[str, object]:
    return {"entityTypeId": 1, "fields": {"title": title, **fields}}


async def test_a_lead_is_added_and_read_back(crm: Bitrix) -> None:
    phone = {"typeId": "PHONE", "valueType": "MOBILE", "value": "+79161234567"}
    added = await crm.call(
        "crm.item.add", lead("Заявка", opportunity=5_000_000, fm=[phone]), write=True
    )
    item = added["item"]
    assert (item["title"], item["opportunity"]) == ("Заявка", 5_000_000)
    assert item["fm"][0] | phone == item["fm"][0]
    read = await crm.call("crm.lead.get", {"id": item["id"]}, write=False)
    assert read["OPPORTUNITY"] == "5000000.00"
    assert read["PHONE"][0]["VALUE"] == "+79161234567"


async def test_nothing_found_is_an_empty_list_and_reads_as_an_object(crm: Bitrix) -> None:
    params = {"type": "PHONE", "values": ["+79160000000"]}
    found = await crm.call("crm.duplicate.findbycomm", params, write=False)
    assert found == []
    assert by_key(found) == {}


async def test_a_batch_tells_each_command_its_own_end(crm: Bitrix) -> None:
    answer = await crm.batch(
        [
            Command("a", "crm.item.add", lead("Анна & Пётр #1 + «100%»", opportunity=1)),
            Command("b", "crm.item.get", {"entityTypeId": 1, "id": 999}),
            Command("c", "crm.nothing.here"),
            Command("d", "crm.item.list", {"entityTypeId": 1}),
        ],
        write=True,
    )
    assert answer.results["a"]["item"]["title"] == "Анна & Пётр #1 + «100%»"
    assert isinstance(answer.errors["b"], NotFound)
    assert isinstance(answer.errors["c"], Rejected)
    assert answer.totals == {"d": 1}
    assert set(answer.results) | set(answer.errors) == {"a", "b", "c", "d"}
    with pytest.raises(NotFound):
        answer.result_of("b")


async def test_keys_that_php_reads_as_numbers_come_back(crm: Bitrix) -> None:
    answer = await crm.batch(
        [Command("0", "profile"), Command("1", "crm.nothing"), Command("2", "profile")],
        write=False,
    )
    assert sorted(answer.results) == ["0", "2"]
    assert sorted(answer.errors) == ["1"]


async def test_halt_leaves_the_rest_undone_and_says_so(crm: Bitrix, portal: Portal) -> None:
    commands = [Command("a", "crm.nothing"), Command("b", "crm.item.add", lead("x"))]
    answer = await crm.batch(commands, write=True, halt=True)
    assert type(answer.errors["b"]) is Unavailable
    assert portal.items[1] == {}


async def test_a_reference_reads_an_earlier_answer_and_a_text_does_not(
    crm: Bitrix, portal: Portal
) -> None:
    stolen = "привет $result[a][item][title] и $TOTAL[a]"
    owner = {"ENTITY_TYPE": "lead", "ENTITY_ID": Reference.to("a", "item", "id")}
    answer = await crm.batch(
        [
            Command("a", "crm.item.add", lead("чужое имя")),
            Command("b", "crm.timeline.comment.add", {"fields": {**owner, "COMMENT": stolen}}),
        ],
        write=True,
    )
    assert answer.errors == {}
    [comment] = portal.comments[1, 1]
    assert "чужое имя" not in comment["COMMENT"]
    assert comment["COMMENT"].replace("\u2060", "") == stolen


@pytest.mark.parametrize("count", [0, 51])
async def test_a_batch_of_a_wrong_size_is_not_sent(crm: Bitrix, portal: Portal, count: int) -> None:
    with pytest.raises(Rejected):
        await crm.batch([Command(str(n), "profile") for n in range(count)], write=False)
    assert portal.requests == {}


async def test_two_commands_with_one_key_are_not_sent(crm: Bitrix) -> None:
    with pytest.raises(Rejected):
        await crm.batch([Command("a", "profile"), Command("a", "profile")], write=False)


async def test_items_walks_through_all_pages(crm: Bitrix, portal: Portal) -> None:
    for number in range(120):
        portal.add(1, {"title": str(number), "originatorId": "potok" if number % 2 else "x"}, [])
    every = [item["id"] async for item in crm.items(EntityType.LEAD, select=["title"])]
    assert every == list(range(1, 121))
    ours = [item async for item in crm.items(EntityType.LEAD, {"originatorId": "potok"})]
    assert len(ours) == 60
    assert [i["id"] async for i in crm.items(EntityType.LEAD, {">id": 118})] == [119, 120]
    assert portal.requests["crm.item.list"] == 3 + 2 + 1


@pytest.mark.parametrize("how", ["close", "504"])
async def test_a_lost_answer_to_a_write_is_told_and_the_lead_is_there(
    crm: Bitrix, portal: Portal, how: str
) -> None:
    portal.failures.add({"kind": "lose_answer", "how": how, "times": 2})
    with pytest.raises(AnswerLost):
        await crm.call("crm.item.add", lead("x", originId="tg:1"), write=True)
    with pytest.raises(AnswerLost):
        await crm.batch([Command("a", "crm.item.add", lead("x", originId="tg:1"))], write=True)
    found = await crm.call(
        "crm.item.list", {"entityTypeId": 1, "filter": {"@originId": ["tg:1"]}}, write=False
    )
    assert [item["id"] for item in found["items"]] == [1, 2]


async def test_silence_is_a_lost_answer_for_a_write_only(base_url: str, portal: Portal) -> None:
    portal.failures.add({"kind": "silent", "seconds": 30, "times": 2})
    async with Bitrix(f"{base_url}/bitrix/rest/1/{CODE}/", timeout_s=0.2) as crm:
        with pytest.raises(AnswerLost):
            await crm.call("crm.item.add", lead("x"), write=True)
        with pytest.raises(Unavailable) as caught:
            await crm.call("profile", write=False)
    assert not isinstance(caught.value, AnswerLost)
    assert len(portal.items[1]) == 1


async def test_html_is_no_answer(crm: Bitrix, portal: Portal) -> None:
    portal.failures.add({"kind": "html_502", "times": 2})
    with pytest.raises(AnswerLost):
        await crm.call("crm.item.add", lead("x"), write=True)
    with pytest.raises(Unavailable, match="502"):
        await crm.call("profile", write=False)
    assert portal.items[1] == {}


async def test_a_port_where_nobody_listens_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    async with Bitrix(f"http://127.0.0.1:{port}/rest/1/{CODE}/") as crm:
        with pytest.raises(Unavailable) as caught:
            await crm.call("crm.item.add", lead("x"), write=True)
    assert type(caught.value) is Unavailable


async def test_the_request_limit_says_when_to_come_back(crm: Bitrix, portal: Portal) -> None:
    portal.limit(2, 0.001)
    await crm.call("profile", write=False)
    await crm.call("profile", write=False)
    with pytest.raises(RateLimited) as caught:
        await crm.call("crm.item.add", lead("x"), write=True)
    assert 0 < caught.value.retry_after_s <= 5
    assert portal.items[1] == {}


async def test_the_time_limit_of_a_method_waits_for_its_reset(crm: Bitrix, portal: Portal) -> None:
    portal.failures.add({"kind": "operation_time_limit", "seconds": 120})
    with pytest.raises(RateLimited) as caught:
        await crm.call("crm.item.list", {"entityTypeId": 1}, write=False)
    assert 110 < caught.value.retry_after_s <= 121
    portal.failures.add({"kind": "operation_time_limit"})
    answer = await crm.batch([Command("a", "profile")], write=False)
    refused = answer.errors["a"]
    assert isinstance(refused, RateLimited)
    assert refused.retry_after_s == 300


async def test_a_missing_scope_and_a_wrong_code_are_denied(
    crm: Bitrix, portal: Portal, base_url: str
) -> None:
    portal.failures.add({"kind": "insufficient_scope", "methods": ["crm.item.add"]})
    with pytest.raises(Denied):
        await crm.call("crm.item.add", lead("x"), write=True)
    async with Bitrix(f"{base_url}/bitrix/rest/1/another-code/") as stranger:
        with pytest.raises(Denied) as caught:
            await stranger.call("profile", write=False)
    assert "another-code" not in str(caught.value)


async def test_poison_fails_alone(crm: Bitrix, portal: Portal) -> None:
    portal.failures.add({"kind": "poison", "marker": "☠"})
    commands = [Command(t, "crm.item.add", lead(t)) for t in ("раз", "два ☠", "три")]
    answer = await crm.batch(commands, write=True)
    assert isinstance(answer.errors["два ☠"], Rejected)
    assert [item["title"] for item in portal.items[1].values()] == ["раз", "три"]


async def test_the_limiter_is_asked_once_for_each_request(base_url: str) -> None:
    asked = []

    async def limiter() -> None:
        asked.append(1)

    async with Bitrix(f"{base_url}/bitrix/rest/1/{CODE}", limiter=limiter) as crm:
        await crm.call("profile", write=False)
        await crm.batch([Command(str(n), "profile") for n in range(50)], write=False)
    assert len(asked) == 2


async def test_many_requests_at_once_keep_their_answers(crm: Bitrix) -> None:
    added = await asyncio.gather(
        *(crm.call("crm.item.add", lead(f"Лид №{n}"), write=True) for n in range(50))
    )
    assert [answer["item"]["title"] for answer in added] == [f"Лид №{n}" for n in range(50)]


async def test_the_code_stays_out_of_logs_errors_and_reprs(
    crm: Bitrix, portal: Portal, caplog: pytest.LogCaptureFixture
) -> None:
    portal.failures.add({"kind": "html_502"})
    portal.failures.add({"kind": "lose_answer"})
    caplog.set_level(logging.DEBUG)
    errors = []
    for method in ("profile", "crm.item.add", "crm.item.get"):
        with pytest.raises(PotokError) as caught:
            await crm.call(method, {"entityTypeId": 1, "id": 9, "fields": {}}, write=True)
        errors.append(repr(caught.value) + str(caught.value.__cause__))
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("uvicorn")]
    assert CODE not in "".join([*errors, repr(crm), *ours])
    assert any(line.startswith("HTTP Request: POST http://127.0.0.1") for line in ours)


async def test_parameters_that_cannot_be_sent_are_rejected(crm: Bitrix) -> None:
    for value in ("\ud800", object()):
        with pytest.raises(Rejected):
            await crm.call("crm.item.add", lead("x", comments=value), write=True)
        with pytest.raises(Rejected):
            await crm.batch([Command("a", "crm.item.add", lead("x", name=value))], write=True)
