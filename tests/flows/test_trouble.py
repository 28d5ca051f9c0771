"""Vendors that fail, refuse, or lose their answers: nothing is lost, and nothing is there twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest

from tests.flows.checks import numbers_said
from tests.flows.people import Person, key, new_phone
from tests.stack_fixture import LiveStack, eventually

Pair = tuple[Person, dict]


def inquiries(count: int, wish: str = "Нужен кредит") -> list[Pair]:
    people = [Person(f"Гость {n}") for n in range(count)]
    return [(person, person.says(f"{wish}, {new_phone()}")) for person in people]


async def post_together(stack: LiveStack, pairs: list[Pair]) -> list[str]:
    """Post so that one batch takes them all; gives their keys."""
    async with stack.claims_held():
        for _, update in pairs:
            await stack.post(update)
    return [key(update) for _, update in pairs]


async def hurry(stack: LiveStack, keys: list[str]) -> None:
    """Let what waits for a later try be due now."""
    await stack.rows("update deliveries set due_at = now() where key = any(%s)", keys)


async def check_each_is_there_once(stack: LiveStack, pairs: list[Pair]) -> None:
    there = await stack.crm(*(person.ref(update) for person, update in pairs))
    assert len(there) == len(pairs)
    assert all(lead["timeline"] == [] for lead in there), "no message was told twice"


@asynccontextmanager
async def limit_of(stack: LiveStack, burst: int, per_s: float) -> AsyncIterator[None]:
    """Other figures of the limit that all our processes share, for as long as the block lasts."""
    path = "/v2/concurrency_limits/bitrix24-main"
    before = await stack.prefect(path)
    await stack.prefect(path, {"limit": burst, "slot_decay_per_second": per_s}, "PATCH")
    yield
    same = {name: before[name] for name in ("limit", "slot_decay_per_second")}
    await stack.prefect(path, same, "PATCH")


async def test_a_poison_message_dies_alone_and_a_person_is_told(stack: LiveStack) -> None:
    pairs = inquiries(4)
    eve = Person("Ева")
    pairs.insert(2, (eve, eve.says(f"Нужен кредит, ядовитое-слово, {new_phone()}")))
    await stack.control("bitrix/failures", {"kind": "poison", "marker": "ядовитое-слово"})
    deliveries = await stack.settled(await post_together(stack, pairs))
    assert len({row["batch_id"] for row in deliveries}) == 1
    assert [row["state"] for row in deliveries] == ["done", "done", "dead", "done", "done"]
    bad = deliveries[2]
    assert bad["error"].startswith("Rejected: ")
    assert bad["outcome"]["result"] == "failed"

    async def told() -> bool:
        return any(bad["key"] in text and "inbox retry" in text for text in await stack.sent())

    await eventually(told)
    await check_each_is_there_once(stack, [pair for pair in pairs if pair[0] is not eve])
    assert await stack.crm(eve.ref(pairs[2][1])) == []

    await stack.be_honest()
    await stack.potok("inbox", "retry", bad["key"])
    (again,) = await stack.settled([bad["key"]])
    assert again["state"] == "done"
    await check_each_is_there_once(stack, pairs)


@pytest.mark.parametrize("says_more", ["нужно ещё 7 млн", "жду звонка"])
@pytest.mark.parametrize("failure", [None, "lose_answer"])
async def test_a_lead_deleted_in_the_crm_is_placed_anew(
    stack: LiveStack, says_more: str, failure: str | None
) -> None:
    person = Person("Вера")
    first = person.says(f"Нужен кредит, слово-1-, {new_phone()}")
    await stack.settled([await posted(stack, first)])
    (lead,) = await stack.crm(person.ref(first))
    await stack.bitrix("crm.item.delete", entityTypeId=1, id=lead["id"])
    if failure:
        await stack.control("bitrix/failures", {"kind": failure})
    (row,) = await stack.settled([await posted(stack, person.says(f"{says_more}, слово-2-"))])
    assert row["state"] == "done"
    (anew,) = await stack.crm(person.ref(first))
    assert anew["id"] != lead["id"]
    assert numbers_said(anew) == [1, 2]


async def posted(stack: LiveStack, update: dict) -> str:
    await stack.post(update)
    return key(update)


@pytest.mark.parametrize("how", ["close", "504"])
async def test_a_lost_answer_after_the_lead_was_stored(stack: LiveStack, how: str) -> None:
    pairs = inquiries(5)
    await stack.control("bitrix/failures", {"kind": "lose_answer", "how": how})
    deliveries = await stack.settled(await post_together(stack, pairs))
    assert [row["state"] for row in deliveries] == ["done"] * 5
    await check_each_is_there_once(stack, pairs)
    assert (await stack.control("bitrix/state"))["failures"] == []


async def test_answers_lost_again_and_again(stack: LiveStack) -> None:
    """Longer than the task's own retries: the inbox goes on, and still looks before it adds."""
    pairs = inquiries(3)
    await stack.control("bitrix/failures", {"kind": "lose_answer", "times": 4})
    deliveries = await stack.settled(await post_together(stack, pairs))
    assert {row["state"] for row in deliveries} == {"done"}
    await check_each_is_there_once(stack, pairs)


async def test_a_lost_answer_to_a_comment(stack: LiveStack) -> None:
    ((person, first),) = pairs = inquiries(1)
    await stack.settled(await post_together(stack, pairs))
    second = person.says("И ещё вопрос по документам")
    await stack.control("bitrix/failures", {"kind": "lose_answer"})
    await stack.post(second)
    await stack.settled([key(second)])
    (lead,) = await stack.crm(person.ref(first))
    (note,) = lead["timeline"]
    assert "И ещё вопрос" in note["COMMENT"]


@pytest.mark.parametrize("kind", ["query_limit", "html_502"])
async def test_a_refused_request_is_sent_again(stack: LiveStack, kind: str) -> None:
    pairs = inquiries(3)
    await stack.control("bitrix/failures", {"kind": kind, "times": 2})
    deliveries = await stack.settled(await post_together(stack, pairs))
    assert {row["state"] for row in deliveries} == {"done"}
    await check_each_is_there_once(stack, pairs)


async def test_a_method_that_is_blocked_for_minutes_is_left_alone_until_then(
    stack: LiveStack,
) -> None:
    pairs = inquiries(3)
    await stack.control("bitrix/failures", {"kind": "operation_time_limit", "seconds": 300})
    keys = await post_together(stack, pairs)

    async def waiting() -> list[float]:
        rows = await stack.deliveries(keys)
        now = datetime.now(UTC)
        return [(r["due_at"] - now).total_seconds() for r in rows if r["state"] == "failed"]

    waits_s = await eventually(waiting)
    assert all(200 < wait_s < 700 for wait_s in waits_s)
    await hurry(stack, keys)
    await stack.settled(keys)
    await check_each_is_there_once(stack, pairs)


async def ask_and_ask(stack: LiveStack) -> None:
    for _ in range(100):
        await stack.bitrix("crm.item.list", entityTypeId=1)


async def test_a_portal_that_is_busier_than_we_know(stack: LiveStack) -> None:
    """Another program has used up the portal's limit: it refuses with 503, and all get there."""
    await stack.control("bitrix/limit", {"burst": 10, "per_s": 1})
    with pytest.raises(httpx.HTTPStatusError, match="503"):
        await ask_and_ask(stack)
    before = (await stack.control("bitrix/state"))["errors"]["QUERY_LIMIT_EXCEEDED"]
    pairs = inquiries(10)
    await stack.settled(await post_together(stack, pairs))
    await check_each_is_there_once(stack, pairs)
    after = (await stack.control("bitrix/state"))["errors"]["QUERY_LIMIT_EXCEEDED"]
    assert after > before


async def test_our_own_limit_keeps_the_portal_from_refusing(stack: LiveStack) -> None:
    async with limit_of(stack, 2, 2.0):
        await stack.control("bitrix/limit", {"burst": 3, "per_s": 2})
        before = await stack.control("bitrix/state")
        pairs = inquiries(4)
        for _, update in pairs:
            await stack.post(update)
            await stack.settled([key(update)])
        after = await stack.control("bitrix/state")
    assert after["requests"]["batch"] - before["requests"].get("batch", 0) >= 8
    assert after["errors"] == before["errors"]
    await check_each_is_there_once(stack, pairs)


async def test_a_portal_that_refuses_our_key_tells_a_person_once(stack: LiveStack) -> None:
    pairs = inquiries(2)
    await stack.control("bitrix/failures", {"kind": "insufficient_scope"})
    for pair in pairs:
        await post_together(stack, [pair])
    keys = [key(update) for _, update in pairs]

    async def tried_twice() -> bool:
        return all(row["attempts"] >= 2 for row in await stack.deliveries(keys))

    await eventually(tried_twice)
    assert sum("potok doctor" in text for text in await stack.sent()) == 1
    await stack.be_honest()
    await hurry(stack, keys)
    rows = await stack.settled(keys)
    assert {row["state"] for row in rows} == {"done"}, "once the key is mended all goes on"
    await check_each_is_there_once(stack, pairs)


@pytest.mark.parametrize(
    "failure",
    [
        {"kind": "hang"},
        {"kind": "nonsense"},
        {"kind": "wrong_shape"},
        {"kind": "truncated"},
        {"kind": "error_in_200"},
        {"kind": "empty_choices"},
        {"kind": "html"},
        {"kind": "cut"},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 401},
    ],
    ids=lambda failure: "-".join(str(value) for value in failure.values()),
)
async def test_without_the_model_the_rules_make_the_lead(stack: LiveStack, failure: dict) -> None:
    ((zoya, update),) = pairs = inquiries(1, "Меня зовут Зоя Белова, нужен кредит 2 млн")
    await stack.control("llm/failures", failure)
    await post_together(stack, pairs)
    await stack.settled([key(update)])
    (lead,) = await stack.rows("select * from leads where origin = %s", zoya.ref(update))
    assert lead["read_by"] == "rules"
    assert (lead["name"], lead["amount"]) == ("Зоя Белова", 2_000_000)
    await check_each_is_there_once(stack, pairs)


async def test_one_answer_that_hangs_costs_only_its_own_reading(stack: LiveStack) -> None:
    pairs = inquiries(4)
    await stack.control("llm/failures", {"kind": "hang", "times": 1})
    await stack.settled(await post_together(stack, pairs))
    origins = [person.ref(update) for person, update in pairs]
    rows = await stack.rows("select read_by from leads where origin = any(%s)", origins)
    assert sorted(row["read_by"] for row in rows) == ["rules", *["rules+llm"] * 3]
