"""Edits, late messages, forwarders; and one chat's order, however many runs are busy."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from deployments.stack.sandbox_access import FORWARDER_SECRET
from tests.flows.checks import numbers_said
from tests.flows.people import Person, key, new_phone
from tests.stack_fixture import LiveStack, eventually

HOUR_S = 3600
_channels = itertools.count(-1_002_000_000_001, -1)


async def lead_of(stack: LiveStack, origin: str) -> dict[str, Any]:
    (lead,) = await stack.rows("select * from leads where origin = %s", origin)
    return lead


async def words_of(stack: LiveStack, ref: str) -> str:
    (row,) = await stack.rows("select text from lead_messages where ref = %s", ref)
    return str(row["text"])


async def test_an_edit_changes_the_lead(stack: LiveStack) -> None:
    anton = Person("Антон")
    first = anton.says(f"Нужен кредит 3 млн, {new_phone()}")
    edit = anton.edits(first, first["message"]["text"].replace("3 млн", "4 млн"), after_s=5)
    for update in (first, edit):
        await stack.post(update)
        await stack.settled([key(update)])
    assert (await lead_of(stack, anton.ref(first)))["amount"] == 4_000_000
    (there,) = await stack.crm(anton.ref(first))
    assert there["opportunity"] == 4_000_000
    assert "4 млн" in await words_of(stack, anton.ref(first))


async def test_an_edit_that_overtakes_its_message(stack: LiveStack) -> None:
    boris = Person("Борис")
    first = boris.says(f"Нужен кредит 3 млн, {new_phone()}")
    edit = boris.edits(first, first["message"]["text"].replace("3 млн", "4 млн"), after_s=5)
    for update in (edit, first):
        await stack.post(update)
        await stack.settled([key(update)])
    assert (await lead_of(stack, boris.ref(first)))["amount"] == 4_000_000
    (there,) = await stack.crm(boris.ref(first))
    assert there["opportunity"] == 4_000_000
    assert "3 млн" not in str(there), "the older words come too late"
    assert "4 млн" in await words_of(stack, boris.ref(first))


async def test_an_older_message_that_comes_late_overrides_nothing(stack: LiveStack) -> None:
    now = int(time.time())
    clara, phone = Person("Клара"), new_phone()
    newer = clara.says(f"Кредит нужен 2 млн, {phone}", at=now)
    older = clara.says("Кредит нужен 9 млн", at=now - HOUR_S)
    for update in (newer, older):
        await stack.post(update)
        await stack.settled([key(update)])
    lead = await lead_of(stack, clara.ref(newer))
    assert (lead["amount"], lead["phone"]) == (2_000_000, phone)
    (there,) = await stack.crm(clara.ref(newer))
    assert "9 млн" in there["timeline"][0]["COMMENT"], "and yet it was written"


class Channel:
    """A supergroup that a forwarder reads, as ``inbound_message.v1``."""

    def __init__(self, stack: LiveStack) -> None:
        self._stack = stack
        self.id = next(_channels)

    def body(self, number: int, text: str, **more: Any) -> dict[str, Any]:
        at = datetime.now(UTC).isoformat()
        sender = {"id": abs(self.id) + 1, "type": "user", "display_name": "Глеб Носов"}
        message = {"id": number, "text": text, "edit_date": more.pop("edit_date", None)}
        return {
            "schema": "inbound_message.v1",
            "account": "user:42",
            "kind": "edited" if message["edit_date"] else "new",
            "occurred_at": at,
            "chat": {"id": self.id, "type": "supergroup", "title": "Заявки"},
            "message": message,
            "sender": sender,
        } | more

    async def post(self, body: dict[str, Any], secret: str = FORWARDER_SECRET) -> str:
        raw = json.dumps(body, ensure_ascii=False)
        now = datetime.now(UTC)
        headers = {
            "webhook-id": str(body["message"]["id"]),
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(str(body["message"]["id"]), now, raw),
        }
        url = f"{self._stack.settings.gateway_url}/hooks/forwarder"
        answer = await self._stack.http.post(url, content=raw.encode(), headers=headers)
        answer.raise_for_status()
        return str(answer.json()["result"])

    def key(self, number: int, edited: int = 0) -> str:
        return f"forwarder:{self.id}:{number}:{edited}"

    def ref(self, number: int) -> str:
        return f"forwarder:user:42:{self.id}:{number}"


async def test_a_forwarded_message_becomes_a_lead(stack: LiveStack) -> None:
    channel, phone = Channel(stack), new_phone()
    body = channel.body(812, f"Нужен факторинг на 12 млн, {phone}")
    assert await channel.post(body) == "accepted"
    assert await channel.post(body) == "duplicate", "another forwarder saw it too"
    await stack.settled([channel.key(812)])
    lead = await lead_of(stack, channel.ref(812))
    assert (lead["source"], lead["phone"], lead["amount"]) == ("forwarder", phone, 12_000_000)
    assert len(await stack.crm(channel.ref(812))) == 1


async def test_forwarded_edits_come_in_any_order(stack: LiveStack) -> None:
    channel, phone = Channel(stack), new_phone()
    now = int(time.time())
    versions = [
        channel.body(7, f"Нужен кредит 1 млн, {phone}"),
        channel.body(7, f"Нужен кредит 2 млн, {phone}", edit_date=now + 1),
        channel.body(7, f"Нужен кредит 3 млн, {phone}", edit_date=now + 2),
    ]
    for version in (versions[2], versions[0], versions[1]):
        assert await channel.post(version) == "accepted"
    await stack.settled([channel.key(7, edited) for edited in (0, now + 1, now + 2)])
    assert (await lead_of(stack, channel.ref(7)))["amount"] == 3_000_000
    assert "3 млн" in await words_of(stack, channel.ref(7))
    assert len(await stack.crm(channel.ref(7))) == 1


async def test_a_forwarder_with_another_secret_is_sent_away(stack: LiveStack) -> None:
    channel = Channel(stack)
    body = channel.body(9, f"Нужен кредит, {new_phone()}")
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        await channel.post(body, "whsec_" + "A" * 32)
    assert await stack.deliveries([channel.key(9)]) == []


@pytest.mark.parametrize(
    "trouble", [(), ("query_limit", "lose_answer", "html_502")], ids=["calm", "trouble"]
)
async def test_a_chat_keeps_its_order_whatever_runs_are_busy(
    stack: LiveStack, trouble: tuple[str, ...]
) -> None:
    """Twelve chats at once, nine messages each, in the several batches that come of it."""
    people = [Person(f"Клиент {n}") for n in range(12)]
    for kind in trouble:
        await stack.control("bitrix/failures", {"kind": kind, "times": 2})
    texts = ["Нужен кредит, слово-0-", *(f"слово-{n}-" for n in range(1, 9))]
    keys: list[str] = []

    async def talk(person: Person, words: list[str]) -> None:
        for text in words:
            update = person.says(text)
            assert await stack.post(update) == "accepted"
            keys.append(key(update))

    async def batches() -> int:
        (row,) = await stack.rows("select count(*) from batches")
        return int(row["count"])

    async def more_batches() -> bool:
        return await batches() > before

    first = await batches()
    for part in (texts[:3], texts[3:6], texts[6:]):
        before = await batches()
        await asyncio.gather(*(talk(person, part) for person in people))
        await eventually(more_batches)
    deliveries = await stack.settled(keys)
    assert {row["state"] for row in deliveries} == {"done"}
    assert await batches() > first + 2
    for person in people:
        (lead,) = await stack.crm(f"telegram:main:{person.id}:11")
        assert numbers_said(lead) == list(range(9))


async def test_one_chat_is_never_in_two_runs_at_once(stack: LiveStack) -> None:
    """Also a person who writes in two chats: their one lead is grown by one run at a time."""
    maria = Person("Мария")
    group = Person("Мария", id=maria.id, chat_id=-maria.id)
    await stack.control("llm/failures", {"kind": "slow", "delay_s": 0.5, "times": 6})
    updates = [maria.says(f"Нужна страховка, {new_phone()}, слово-0-")]
    updates += [person.says(f"слово-{n}-") for n in range(1, 4) for person in (maria, group)]
    for update in updates:
        await stack.post(update)
    await stack.settled([key(update) for update in updates])
    overlaps = await stack.rows(
        "select 1 from batches one join batches two on one.id < two.id "
        "and tstzrange(one.created_at, one.closed_at) && tstzrange(two.created_at, two.closed_at) "
        "join deliveries a on a.batch_id = one.id join deliveries b on b.batch_id = two.id "
        "where a.person = b.person and a.person = %s",
        f"telegram:{maria.id}",
    )
    assert overlaps == []
    rows = await stack.rows("select 1 from leads where person = %s", f"telegram:{maria.id}")
    assert len(rows) == 1
