from __future__ import annotations

from datetime import timedelta

from lib.clients.bitrix_leads import Placed
from lib.domain.placement import Action, Filing, Placement
from lib.errors import Rejected, Unavailable
from lib.store.engine import Database
from lib.store.filings import Filings
from lib.store.leads import Leads, ReadMessage

from .making import came, read, rows, run_sql

MINUTE = timedelta(minutes=1)


async def filed(db: Database) -> Filing:
    """The filing of a lead of two messages."""
    grown = await Leads(db).grow([read(1, "Здравствуйте"), read(2, "нужен кредит", at=MINUTE)])
    lead = grown[2]
    assert lead is not None
    assert lead.id is not None
    (filing,) = await Filings(db).open([lead.id])
    return filing


async def marks(db: Database) -> list[str]:
    found = await rows(db, "select in_crm from lead_messages order by at")
    return [row["in_crm"] for row in found]


def placement(filing: Filing, action: Action = "add", *, words: int = 0) -> Placement:
    crm_id = None if action == "add" else 70
    return Placement(filing, action, crm_id, comments=filing.words[:words])


async def test_a_filing_has_the_lead_and_its_words_in_their_order(db: Database) -> None:
    filing = await filed(db)
    assert [(w.text, w.in_crm) for w in filing.words] == [
        ("Здравствуйте", "no"),
        ("нужен кредит", "no"),
    ]
    assert (filing.lead.crm_id, filing.lead.crm_version, filing.lead.version) == (None, 0, 1)
    assert await Filings(db).open([]) == []
    assert await Filings(db).open([999]) == []


async def test_what_is_sent_is_marked_before(db: Database) -> None:
    filing = await filed(db)
    filings = Filings(db)
    await filings.mark_tried([])
    await filings.mark_tried([placement(filing, "link")])
    assert await marks(db) == ["no", "no"]
    await filings.mark_tried([placement(filing, "link", words=1)])
    assert await marks(db) == ["tried", "no"]
    await filings.mark_tried([placement(filing, "add")])  # its own comment holds all of them
    assert await marks(db) == ["tried", "tried"]


async def test_a_lead_that_is_gone_from_the_crm_is_filed_anew(db: Database) -> None:
    filing = await filed(db)
    filings = Filings(db)
    answer = {filing.lead.origin: Placed(70, tuple(words.ref for words in filing.words))}
    await filings.record([placement(filing, "link")], answer)
    assert filing.lead.id is not None
    await filings.forget([filing.lead.id])
    assert await filings.open([filing.lead.id]) == [filing]
    await run_sql(db, "update lead_messages set in_crm = 'refused' where text = 'Здравствуйте'")
    await filings.forget([filing.lead.id])
    assert await marks(db) == ["refused", "no"], "in a new lead it would be refused again"


async def test_what_the_crm_has_is_not_filed_again(db: Database) -> None:
    filing = await filed(db)
    refs = tuple(words.ref for words in filing.words)
    placed = {filing.lead.origin: Placed(70, refs)}
    await Filings(db).record([placement(filing)], placed)
    assert await marks(db) == ["yes", "yes"]
    (lead,) = await rows(db, "select * from leads")
    assert (lead["crm_id"], lead["crm_version"], lead["crm_linked"]) == (70, 1, False)
    (again,) = await Filings(db).open([lead["id"]])
    assert again.words == ()

    first_at = lead["crm_at"]
    await Leads(db).grow([read(3, "8 916 123-45-67", at=2 * MINUTE)])
    (behind,) = await Filings(db).open([lead["id"]])
    assert [words.text for words in behind.words] == ["8 916 123-45-67"]
    assert (behind.lead.version, behind.lead.crm_version) == (2, 1)
    refs = (behind.words[0].ref,)
    await Filings(db).record([placement(behind, "update")], {behind.lead.origin: Placed(70, refs)})
    (lead,) = await rows(db, "select * from leads")
    assert (lead["crm_version"], lead["crm_at"]) == (2, first_at)


async def test_a_refused_lead_stays_to_be_filed(db: Database) -> None:
    filing = await filed(db)
    await Filings(db).mark_tried([placement(filing)])
    placed = {filing.lead.origin: Placed(error=Rejected("no"))}
    await Filings(db).record([placement(filing)], placed)
    (again,) = await Filings(db).open([filing.lead.id or 0])
    assert again.lead.crm_id is None
    assert [words.in_crm for words in again.words] == ["tried", "tried"]


async def test_refused_words_are_not_sent_again(db: Database) -> None:
    """A comment that the CRM refuses for good must not fail every later message of its lead."""
    filing = await filed(db)
    unsaid = {filing.words[1].ref: Rejected("no such comment")}
    placed = {filing.lead.origin: Placed(70, (filing.words[0].ref,), unsaid)}
    await Filings(db).record([placement(filing, "link", words=2)], placed)
    assert await marks(db) == ["yes", "refused"]
    (again,) = await Filings(db).open([filing.lead.id or 0])
    assert again.words == ()


async def test_a_linked_lead_stays_linked_and_keeps_the_words_it_lacks(db: Database) -> None:
    filing = await filed(db)
    unsaid = {filing.words[1].ref: Unavailable("not now")}
    placed = {filing.lead.origin: Placed(70, (filing.words[0].ref,), unsaid)}
    await Filings(db).record([placement(filing, "link", words=2)], placed)
    assert await marks(db) == ["yes", "no"]
    (linked,) = await Filings(db).open([filing.lead.id or 0])
    assert (linked.lead.crm_id, linked.lead.crm_linked) == (70, True)
    await Filings(db).record([placement(linked, "none")], {linked.lead.origin: Placed(70)})
    assert await rows(db, "select crm_linked from leads") == [{"crm_linked": True}]


async def test_the_words_of_a_lead_that_is_nowhere_are_in_doubt(db: Database) -> None:
    before = await filed(db)
    origin = before.lead.origin
    refs = tuple(words.ref for words in before.words)
    await Filings(db).record([placement(before)], {origin: Placed(70, refs)})
    assert (await filed(db)).words == (), "it is there, and so are they"
    await run_sql(db, "update leads set crm_id = null, crm_deleted_at = now()")
    nowhere = await filed(db)
    assert [words.in_crm for words in nowhere.words] == ["tried", "tried"]
    await Filings(db).record([placement(nowhere)], {origin: Placed(71, refs)})
    (lead,) = await rows(db, "select crm_id, crm_deleted_at from leads")
    assert lead == {"crm_id": 71, "crm_deleted_at": None}, "it is there again"


async def test_what_was_heard_is_told_though_its_message_was(db: Database) -> None:
    wish, voice = read(1, "нужен кредит"), read(2, "+7 916 123-45-67", at=MINUTE)
    heard = voice.message.heard(["звоните после обеда"])
    for number, message in enumerate((wish.message, voice.message, heard), 1):
        assert await came(db, message) == number
    grown = await Leads(db).grow([wish, voice])
    lead = grown[2]
    assert lead is not None
    assert lead.id is not None
    (filing,) = await Filings(db).open([lead.id])
    placed = {lead.origin: Placed(70, tuple(words.ref for words in filing.words))}
    await Filings(db).record([placement(filing)], placed)
    for _ in range(2):  # a run that was killed takes it again
        await Leads(db).grow([ReadMessage(3, heard, voice.inquiry)])
        (again,) = await Filings(db).open([lead.id])
        (words,) = again.words
        assert (words.in_crm, words.mark) == ("tried", f"{words.ref}:heard")
        assert "после обеда" in words.text
    told = {lead.origin: Placed(70, (words.ref,))}
    await Filings(db).record([placement(again, "update", words=1)], told)
    await Leads(db).grow([ReadMessage(3, heard, voice.inquiry)])
    (filing,) = await Filings(db).open([lead.id])
    assert filing.words == (), "it is told once"
