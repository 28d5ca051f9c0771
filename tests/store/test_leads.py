from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

from lib.domain.leads import LeadState
from lib.store.engine import Database
from lib.store.leads import Leads, ReadMessage

from .making import read, rows, run_sql

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


async def grown(db: Database, *messages: ReadMessage) -> list[LeadState | None]:
    """The lead of each message, all in one batch."""
    leads = await Leads(db).grow(messages)
    return [leads[each.delivery_id] for each in messages]


def there(*leads: LeadState | None) -> list[LeadState]:
    """These leads, none of which is missing."""
    found = [lead for lead in leads if lead is not None]
    assert len(found) == len(leads)
    return found


async def one_by_one(db: Database, *messages: ReadMessage) -> list[LeadState | None]:
    return [(await grown(db, each))[0] for each in messages]


async def the_lead(db: Database) -> tuple[dict[str, object], list[str]]:
    """The only lead there is, and the words that belong to it."""
    (lead,) = await rows(db, "select * from leads")
    words = await rows(db, "select text from lead_messages where lead_id is not null order by at")
    return lead, [row["text"] for row in words]


HELLO = read(1, "Здравствуйте")
WISH = read(2, "нужен кредит 5 млн", at=MINUTE)
PHONE = read(3, "+7 916 123-45-67", at=2 * MINUTE)
WORDS = ["Здравствуйте", "нужен кредит 5 млн", "+7 916 123-45-67"]


async def test_three_messages_in_one_batch_are_one_lead(db: Database) -> None:
    hello, wish, phone = await grown(db, HELLO, WISH, PHONE)
    assert hello is None  # it opened nothing, and is adopted below
    assert wish == phone
    lead, words = await the_lead(db)
    assert words == WORDS
    assert (lead["origin"], lead["phone"]) == (WISH.message.ref, "+79161234567")
    assert (lead["amount"], lead["version"], lead["crm_id"]) == (Decimal(5_000_000), 2, None)


async def test_three_messages_in_three_batches_are_one_lead(db: Database) -> None:
    _, wish, phone = await one_by_one(db, HELLO, WISH, PHONE)
    assert wish is not None
    assert phone is not None
    assert (wish.id, wish.version, phone.id, phone.version) == (phone.id, 1, wish.id, 2)
    lead, words = await the_lead(db)
    assert words == WORDS
    assert lead["phone"] == "+79161234567"


async def test_to_repeat_changes_nothing(db: Database) -> None:
    everything = "select * from leads order by id", "select * from lead_messages order by ref"
    await grown(db, HELLO, WISH, PHONE)
    before = [await rows(db, each) for each in everything]
    await grown(db, HELLO, WISH, PHONE)
    await one_by_one(db, PHONE, HELLO, WISH)
    assert [await rows(db, each) for each in everything] == before


async def test_what_was_said_days_before_or_is_spam_is_not_adopted(db: Database) -> None:
    await one_by_one(
        db,
        read(1, "Здравствуйте", at=-2 * DAY),
        read(2, "Казино! жми bit.ly/x", at=-MINUTE),
        read(3, "Добрый день", sender=8, at=-MINUTE),
        read(4, "нужен кредит"),
    )
    _, words = await the_lead(db)
    assert words == ["нужен кредит"]


async def test_an_edit_that_comes_after_a_later_one_tells_when_its_message_was_written(
    db: Database,
) -> None:
    """Before the wish, so it is adopted: in one batch as one by one."""
    later = read(1, "Здравствуйте", message_id=1, kind="edited", at=2 * MINUTE)
    earlier = read(2, "Здрав", message_id=1, kind="edited", at=-MINUTE)
    await grown(db, later, earlier, read(3, "нужен кредит"))
    _, words = await the_lead(db)
    assert words == ["Здравствуйте", "нужен кредит"]


async def test_words_whose_deletion_comes_again_are_adopted(db: Database) -> None:
    """The deletion is of the same batch as the wish, its words are not."""
    deleted = read(1, "", message_id=2, kind="deleted")
    await grown(db, deleted, read(2, "Здравствуйте"))
    await grown(db, deleted, read(3, "нужен кредит", at=MINUTE))
    _, words = await the_lead(db)
    assert words == ["Здравствуйте", "нужен кредит"]


async def test_two_people_have_two_leads_also_in_one_chat(db: Database) -> None:
    ours, theirs, more = await grown(
        db,
        read(1, "нужен кредит", chat=-100, sender=7),
        read(2, "нужна ипотека", chat=-100, sender=8),
        read(3, "+7 916 123-45-67", chat=-100, sender=7),
    )
    assert ours is not None
    assert theirs is not None
    assert more is not None
    assert (ours.id, ours.phone, theirs.phone) == (more.id, "+79161234567", None)
    assert ours.id != theirs.id


async def test_one_person_in_two_chats_has_one_lead(db: Database) -> None:
    await grown(db, read(1, "нужен кредит", chat=7), read(2, "8 916 123-45-67", chat=-100))
    lead, words = await the_lead(db)
    assert (lead["phone"], len(words)) == ("+79161234567", 2)


async def test_a_newer_edit_replaces_and_an_older_one_is_ignored(db: Database) -> None:
    first = read(1, "нужен кредит 5 млн", message_id=1)
    newer = read(2, "нужен кредит 7 млн", message_id=1, kind="edited", at=3 * MINUTE)
    older = read(3, "нужен кредит 6 млн", message_id=1, kind="edited", at=MINUTE)
    await one_by_one(db, first, newer, older, newer, first)
    lead, words = await the_lead(db)
    assert words == ["нужен кредит 7 млн"]
    assert (lead["amount"], lead["version"]) == (Decimal(7_000_000), 2)


async def test_a_message_and_its_edits_in_one_batch_end_as_the_newest(db: Database) -> None:
    first = read(1, "нужен кредит 5 млн", message_id=1)
    newer = read(2, "нужен кредит 7 млн", message_id=1, kind="edited", at=3 * MINUTE)
    older = read(3, "нужен кредит 6 млн", message_id=1, kind="edited", at=MINUTE)
    await grown(db, newer, older, first)
    lead, words = await the_lead(db)
    assert words == ["нужен кредит 7 млн"]
    assert lead["amount"] == Decimal(7_000_000)
    (message,) = await rows(db, "select at, edited_at, delivery_id from lead_messages")
    assert (message["edited_at"], message["delivery_id"]) == (newer.message.occurred_at, 2)


async def test_of_two_edits_in_one_second_the_later_delivery_counts(db: Database) -> None:
    first = read(1, "нужен кредит 5 млн", message_id=1)
    one = read(2, "нужен кредит 6 млн", message_id=1, kind="edited")
    other = read(3, "нужен кредит 7 млн", message_id=1, kind="edited")
    await one_by_one(db, first, one, other, one, first)
    lead, words = await the_lead(db)
    assert words == ["нужен кредит 7 млн"]
    assert lead["amount"] == Decimal(7_000_000)


async def test_a_greeting_edited_into_a_request_opens_a_lead_with_its_words(db: Database) -> None:
    edit = read(2, "нужен кредит", message_id=1, kind="edited", at=MINUTE)
    nothing, lead = await one_by_one(db, HELLO, edit)
    assert nothing is None
    assert lead is not None
    assert lead.origin == HELLO.message.ref
    assert (await the_lead(db))[1] == ["нужен кредит"]


async def test_a_lead_whose_words_turn_to_spam_keeps_them_as_its_own(db: Database) -> None:
    await one_by_one(
        db,
        read(1, "нужен кредит", message_id=1),
        read(2, "Казино! жми bit.ly/x", message_id=1, kind="edited", at=MINUTE),
        read(3, "нужен кредит 3 млн", message_id=1, kind="edited", at=2 * MINUTE),
    )
    lead, words = await the_lead(db)
    assert words == ["нужен кредит 3 млн"]
    assert lead["amount"] == Decimal(3_000_000)


async def test_a_deletion_takes_no_words_back(db: Database) -> None:
    deleted = read(2, "", message_id=1, kind="deleted", at=MINUTE)
    unknown = read(3, "", message_id=99, kind="deleted", at=MINUTE)
    await one_by_one(db, read(1, "нужен кредит", message_id=1), deleted, unknown)
    assert (await the_lead(db))[1] == ["нужен кредит"]
    assert len(await rows(db, "select * from lead_messages")) == 1


async def test_messages_that_come_in_the_wrong_order_are_one_lead_with_the_newest_wish(
    db: Database,
) -> None:
    newest = read(1, "лучше кредит 7 млн", at=2 * MINUTE)
    late = read(2, "нужен кредит 5 млн, срочно", at=MINUTE)
    latest = read(3, "Здравствуйте")
    await one_by_one(db, newest, late, latest)
    lead, words = await the_lead(db)
    assert words == ["Здравствуйте", "нужен кредит 5 млн, срочно", "лучше кредит 7 млн"]
    assert (lead["amount"], lead["urgency"]) == (Decimal(7_000_000), "high")
    assert lead["last_message_at"] == newest.message.occurred_at


async def test_a_lead_is_open_for_fourteen_days_after_the_last_message(db: Database) -> None:
    first, second, third = await one_by_one(
        db,
        read(1, "нужен кредит"),
        read(2, "ещё думаю", at=13 * DAY),
        read(3, "нужен кредит 2 млн", at=26 * DAY),
    )
    first, second, third = there(first, second, third)
    assert first.id == second.id == third.id
    nothing, again = await one_by_one(
        db, read(4, "спасибо", at=41 * DAY), read(5, "нужна ипотека", at=41 * DAY + MINUTE)
    )
    assert nothing is None
    assert again is not None
    assert again.id != first.id
    words = await rows(db, "select text from lead_messages where lead_id = :id", id=again.id)
    assert {row["text"] for row in words} == {"спасибо", "нужна ипотека"}


async def test_an_edit_of_an_old_message_stays_with_its_own_lead(db: Database) -> None:
    edit = read(2, "нужен кредит 9 млн", message_id=1, kind="edited", at=30 * DAY)
    old, new, edited = await one_by_one(
        db, read(1, "нужен кредит"), read(3, "нужна ипотека", at=29 * DAY), edit
    )
    old, new, edited = there(old, new, edited)
    assert edited.id == old.id != new.id
    assert edited.amount == Decimal(9_000_000)


async def test_a_message_that_changes_nothing_makes_no_version(db: Database) -> None:
    first, thanks, phone = await one_by_one(
        db,
        read(1, "нужен кредит"),
        read(2, "спасибо", at=MINUTE),
        read(3, "8 916 123-45-67", at=2 * MINUTE),
    )
    first, thanks, phone = there(first, thanks, phone)
    assert [lead.version for lead in (first, thanks, phone)] == [1, 1, 2]
    assert thanks.last_message_at == first.last_message_at + MINUTE


async def test_growing_keeps_what_the_crm_told(db: Database) -> None:
    await grown(db, read(1, "нужен кредит"))
    await run_sql(db, "update leads set crm_id = 70, crm_version = 1, crm_linked = true")
    (lead,) = await grown(db, read(2, "8 916 123-45-67", at=MINUTE))
    assert lead is not None
    assert (lead.crm_id, lead.crm_version, lead.crm_linked, lead.version) == (70, 1, True, 2)


async def test_two_runs_with_the_same_messages_at_once_make_one_lead(db: Database) -> None:
    messages = [HELLO, WISH, PHONE]
    await asyncio.gather(
        grown(db, *messages), grown(db, *messages), one_by_one(db, *messages), grown(db, WISH)
    )
    lead, words = await the_lead(db)
    assert words == WORDS
    assert (lead["phone"], lead["version"]) == ("+79161234567", 2)


async def test_what_was_read_is_found_by_its_delivery(db: Database) -> None:
    await grown(db, HELLO, WISH)
    found = await Leads(db).inquiries([1, 2, 3])
    assert found == {1: HELLO.inquiry, 2: WISH.inquiry}
    assert await Leads(db).inquiries([]) == {}
    assert await Leads(db).grow([]) == {}


async def test_people_see_the_newest_leads_and_one_with_its_words(db: Database) -> None:
    ours, theirs = await grown(db, WISH, read(9, "нужна ипотека", sender=8, chat=8))
    ours, theirs = there(ours, theirs)
    assert ours.id is not None
    leads = Leads(db)
    assert [lead.id for lead in await leads.newest()] == [ours.id, theirs.id]
    assert [lead.id for lead in await leads.newest(person="telegram:8")] == [theirs.id]
    assert [lead.id for lead in await leads.newest(limit=1)] == [ours.id]
    shown = await leads.show(ours.id)
    assert shown is not None
    assert (shown[0].origin, [m.text for m in shown[1]]) == (ours.origin, ["нужен кредит 5 млн"])
    assert await leads.show(999) is None
