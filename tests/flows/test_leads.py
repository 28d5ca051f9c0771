from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from tests.flows.people import Person, key, new_phone
from tests.stack_fixture import LiveStack


async def test_a_message_becomes_one_lead_here_and_in_the_crm(stack: LiveStack) -> None:
    anna, phone = Person("Анна П."), new_phone()
    update = anna.says(f"Добрый день, меня зовут Анна Петрова. Нужен кредит 5 млн руб. {phone}")
    assert await stack.post(update) == "accepted"
    (delivery,) = await stack.settled([key(update)])
    (lead,) = await stack.rows("select * from leads where origin = %s", anna.ref(update))
    (there,) = await stack.crm(anna.ref(update))
    assert (lead["name"], lead["phone"], lead["amount"]) == ("Анна Петрова", phone, 5_000_000)
    assert lead["read_by"] == "rules+llm"
    assert there["id"] == lead["crm_id"]
    assert there["originatorId"] == "potok"
    assert (there["opportunity"], there["currencyId"]) == (5_000_000, "RUB")
    assert [entry["value"] for entry in there["fm"]] == [phone]
    assert "Нужен кредит 5 млн руб." in there["comments"], "the person's own words"
    outcome = delivery["outcome"]
    assert (outcome["result"], outcome["lead_id"], outcome["crm_id"]) == (
        "lead", lead["id"], there["id"],
    )  # fmt: skip
    assert set(outcome["ms"]) == {"read", "store", "crm"}


async def test_three_messages_are_one_lead_and_later_ones_are_comments(stack: LiveStack) -> None:
    ivan, phone = Person("Иван Котов"), new_phone()
    texts = ("Здравствуйте", "нужен кредит 700 тысяч", phone)
    updates = [ivan.says(text) for text in texts]
    for update in updates:
        await stack.post(update)
    await stack.settled([key(update) for update in updates])
    (lead,) = await stack.rows("select * from leads where person = %s", f"telegram:{ivan.id}")
    assert (lead["phone"], lead["amount"]) == (phone, 700_000)
    assert lead["origin"] == ivan.ref(updates[1]), "the first that asked for something"

    later = ivan.says("Спасибо, жду звонка")
    await stack.post(later)
    (delivery,) = await stack.settled([key(later)])
    assert delivery["outcome"]["lead_id"] == lead["id"]
    (there,) = await stack.crm(lead["origin"])
    said = [there["comments"], *(note["COMMENT"] for note in there["timeline"])]
    assert "Спасибо, жду звонка" in said[-1]
    for text in texts:
        assert sum(text in note for note in said) == 1, f"{text!r} is there once"
    assert [entry["value"] for entry in there["fm"]] == [phone]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Казино онлайн! Лёгкие деньги, фриспины и бонус каждому: t.me/win", "spam"),
        ("Добрый вечер!", "small_talk"),
        ("Вчера смотрели на реку", "no_request"),
    ],
    ids=["spam", "small-talk", "no-request"],
)
async def test_what_is_no_inquiry_makes_no_lead_and_says_why(
    stack: LiveStack, text: str, why: str
) -> None:
    person = Person("Олег")
    update = person.says(text)
    await stack.post(update)
    (delivery,) = await stack.settled([key(update)])
    assert delivery["state"] == "done"
    assert delivery["outcome"]["result"] == why
    assert await stack.rows("select 1 from leads where origin = %s", person.ref(update)) == []
    assert await stack.crm(person.ref(update)) == []


async def test_a_shared_contact_is_a_lead_with_its_phone(stack: LiveStack) -> None:
    vera, phone = Person("Вера"), new_phone()
    card = {"phone_number": phone.lstrip("+"), "first_name": "Вера Ильина", "user_id": vera.id}
    update = vera.says(contact=card)
    await stack.post(update)
    await stack.settled([key(update)])
    (lead,) = await stack.rows("select * from leads where origin = %s", vera.ref(update))
    assert (lead["name"], lead["phone"]) == ("Вера Ильина", phone)
    assert len(await stack.crm(vera.ref(update))) == 1


async def test_a_phone_that_the_crm_knows_is_linked_and_not_doubled(stack: LiveStack) -> None:
    phone = new_phone()
    fm = [{"typeId": "PHONE", "valueType": "WORK", "value": phone}]
    old = await stack.bitrix("crm.item.add", entityTypeId=1, fields={"title": "Звонок", "fm": fm})
    pyotr = Person("Пётр Громов")
    update = pyotr.says(f"Хочу рефинансировать ипотеку, {phone}")
    await stack.post(update)
    (delivery,) = await stack.settled([key(update)])
    assert delivery["outcome"]["crm_id"] == old["item"]["id"]
    (lead,) = await stack.rows("select * from leads where origin = %s", pyotr.ref(update))
    assert lead["crm_linked"]
    known = [each for each in await stack.crm() if phone in str(each["fm"])]
    assert [each["id"] for each in known] == [old["item"]["id"]]
    assert known[0]["title"] == "Звонок", "its fields are not ours to change"
    (note,) = known[0]["timeline"]
    assert "рефинансировать ипотеку" in note["COMMENT"]


async def test_a_contact_that_the_crm_knows_gets_the_lead(stack: LiveStack) -> None:
    phone = new_phone()
    fm = [{"typeId": "PHONE", "valueType": "WORK", "value": phone}]
    contact = await stack.bitrix("crm.item.add", entityTypeId=3, fields={"name": "Нина", "fm": fm})
    nina = Person("Нина")
    update = nina.says(f"нужна банковская гарантия, мой номер {phone}")
    await stack.post(update)
    await stack.settled([key(update)])
    (there,) = await stack.crm(nina.ref(update))
    assert there["contactId"] == contact["item"]["id"]


async def test_two_people_with_one_phone_are_one_lead_in_the_crm(stack: LiveStack) -> None:
    phone = new_phone()
    people = [Person("Муж"), Person("Жена")]
    updates = [person.says(f"Нужна ипотека, {phone}") for person in people]
    async with stack.claims_held():
        await asyncio.gather(*(stack.post(update) for update in updates))
    deliveries = await stack.settled([key(update) for update in updates])
    assert len({row["batch_id"] for row in deliveries}) == 1
    assert len({row["outcome"]["crm_id"] for row in deliveries}) == 1
    assert len([each for each in await stack.crm() if phone in str(each["fm"])]) == 1


async def test_a_delivery_that_comes_twice_is_one_lead(stack: LiveStack) -> None:
    lev = Person("Лев")
    update = lev.says(f"Нужен лизинг, {new_phone()}")
    results = await asyncio.gather(*(stack.post(update) for _ in range(10)))
    assert sorted(results) == ["accepted", *["duplicate"] * 9]
    (delivery,) = await stack.settled([key(update)])
    assert await stack.post(update) == "duplicate", "also long after"
    assert delivery["attempts"] == 0
    (there,) = await stack.crm(lev.ref(update))
    assert there["timeline"] == []


async def test_a_person_finds_the_run_of_a_lead(stack: LiveStack) -> None:
    updates = [Person(f"Гость {n}").says(f"Нужен вклад, {new_phone()}") for n in range(3)]
    async with stack.claims_held():
        for update in updates:
            await stack.post(update)
    deliveries = await stack.settled([key(update) for update in updates])
    (run_id,) = {row["flow_run_id"] for row in deliveries}
    run = await stack.run_ended(run_id)
    assert run["state_type"] == "COMPLETED"
    assert run["name"] == f"{key(updates[0])} +2"
    wanted = {f"lead:{row['outcome']['lead_id']}" for row in deliveries}
    assert wanted | {"inbox", "leads"} <= set(run["tags"])
    assert set(run["parameters"]) == {"batch_id", "portal", "model"}, "ids, never texts"
    (table,) = await stack.artifacts(run_id)
    rows = {row["message"]: row for row in table}
    assert set(rows) == {key(update) for update in updates}
    for row in deliveries:
        found = rows[row["key"]]
        assert (found["outcome"], found["lead"], found["crm"]) == (
            "lead", row["outcome"]["lead_id"], row["outcome"]["crm_id"],
        )  # fmt: skip
        assert all(isinstance(found[f"{stage} ms"], int) for stage in ("read", "store", "crm"))
    by_tag = {"flow_runs": {"tags": {"all_": [min(wanted)]}}}
    assert [each["id"] for each in await stack.prefect("/flow_runs/filter", by_tag)] == [run["id"]]


async def test_a_run_of_a_batch_that_is_not_there_does_nothing(stack: LiveStack) -> None:
    deployment = await stack.prefect("/deployments/name/leads/main")
    body = {"parameters": {"batch_id": str(uuid4())}}
    run = await stack.prefect(f"/deployments/{deployment['id']}/create_flow_run", body)
    ended = await stack.run_ended(run["id"])
    assert ended["state_type"] == "COMPLETED"
    assert await stack.artifacts(run["id"]) == []
