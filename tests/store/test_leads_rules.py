"""However messages are cut into batches and repeated, the leads are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, islice
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from lib.store.engine import Database
from lib.store.leads import Leads, ReadMessage

from .making import read, rows

WORDS = (
    "Здравствуйте",
    "нужен кредит",
    "нужен кредит 5 млн",
    "лучше ипотека 7 млн, срочно",
    "+7 916 123-45-67",
    "меня зовут Иван, anna@mail.ru",
    "спасибо",
    "Казино! жми bit.ly/x",
)
_strangers = count(1_000_000)

MESSAGES = """
    select split_part(m.ref, ':', 4) as message, m.at, m.edited_at, m.text, m.inquiry, m.in_crm,
      split_part(l.origin, ':', 4) as origin
    from lead_messages m left join leads l on l.id = m.lead_id
    where m.person = any(:people) order by m.person, m.ref
"""
LEADS = """
    select split_part(origin, ':', 4) as origin, name, phone, email, intent, amount, currency,
      urgency, summary, opened_at, last_message_at, version
    from leads where person = any(:people) order by person, opened_at, origin
"""


@dataclass(frozen=True)
class Said:
    """One event of one of two people; an edit or a deletion is of the message ``of``."""

    who: int
    words: str
    after_h: int
    kind: Literal["new", "edited", "deleted"]
    of: int


said = st.builds(
    Said,
    st.integers(0, 1),
    st.sampled_from(WORDS),
    st.sampled_from([0, 0, 1, 1, 5, 30, 24 * 9, 24 * 15, -1, -30]),
    st.sampled_from(["new", "new", "new", "new", "edited", "edited", "deleted"]),
    st.integers(0, 5),
)


def events_of(story: Sequence[Said], people: Sequence[int]) -> list[ReadMessage]:
    """A story as messages of these people, each in a chat of their own."""
    at = timedelta()
    events = []
    for number, each in enumerate(story, 1):
        at += timedelta(hours=each.after_h)
        person = people[each.who]
        is_new = each.kind == "new"
        events.append(
            read(
                number,
                each.words,
                message_id=number if is_new else each.of,
                at=at,
                kind=each.kind,
                chat=person,
                sender=person,
            )
        )
    return events


async def tables(db: Database, people: Sequence[int]) -> list[list[dict[str, Any]]]:
    names = [f"telegram:{person}" for person in people]
    return [await rows(db, statement, people=names) for statement in (LEADS, MESSAGES)]


@settings(max_examples=50)
@given(st.data())
async def test_any_split_with_any_repeats_gives_the_same_leads(
    db: Database, data: st.DataObject
) -> None:
    story = data.draw(st.lists(said, min_size=1, max_size=8))
    leads = Leads(db)

    plain = list(islice(_strangers, 2))
    for event in events_of(story, plain):
        await leads.grow([event])

    cut = list(islice(_strangers, 2))
    events = events_of(story, cut)
    done = 0
    while done < len(events):
        size = data.draw(st.integers(1, len(events) - done), "batch size")
        again = data.draw(st.lists(st.sampled_from(events[:done]), max_size=3)) if done else []
        repeated = {event.delivery_id: event for event in again}
        batch = [*sorted(repeated.values(), key=lambda e: e.delivery_id), *events[done:][:size]]
        await leads.grow(batch)
        if data.draw(st.booleans(), "the whole batch again"):
            await leads.grow(batch)
        done += size

    assert await tables(db, cut) == await tables(db, plain)


@settings(max_examples=20)
@given(st.lists(said, min_size=1, max_size=8))
async def test_every_word_is_kept_and_spam_opens_nothing(db: Database, story: list[Said]) -> None:
    people = list(islice(_strangers, 2))
    events = events_of(story, people)
    placed = await Leads(db).grow(events)
    _, messages = await tables(db, people)
    written = {e.message.ref for e in events if e.message.kind != "deleted"}
    assert len(messages) == len(written)
    edited = set()
    for event in events:
        is_new = event.message.kind == "new" and event.message.ref not in edited
        if event.inquiry.why == "spam" and is_new:
            assert placed[event.delivery_id] is None
        edited |= {event.message.ref} if event.message.kind == "edited" else set()
