"""A look at the leads of the stand-in portal, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from deployments.sandbox.bitrix import Portal
from lib.clients.bitrix import Bitrix, NotFound
from lib.clients.bitrix_watch import OVERLAP, BitrixWatch, Seen
from lib.errors import Denied, PotokError, Unavailable
from tests.clients.books import CODE, CONTACT, LEAD, PHONE, multifields


@pytest.fixture(scope="module")
async def watch(base_url: str) -> AsyncIterator[BitrixWatch]:
    async with Bitrix(f"{base_url}/bitrix/rest/1/{CODE}/", timeout_s=10) as bitrix:
        yield BitrixWatch(bitrix)


def ours(portal: Portal, number: int = 1, **values: object) -> int:
    origin = {"originatorId": "potok", "originId": f"telegram:main:{number}:1"}
    return int(portal.add(LEAD, origin | values, [])["id"])


@pytest.mark.parametrize("number", [0, 1, 49, 50, 51, 99, 100, 549, 550, 551, 1100])
async def test_every_page_is_read_in_few_requests(
    watch: BitrixWatch, portal: Portal, number: int
) -> None:
    wanted = [ours(portal, n) for n in range(number)]
    portal.add(LEAD, {"originatorId": "other"}, [])
    seen = Seen()
    await watch.changed(None, seen)
    assert sorted(seen.leads) == wanted
    assert portal.requests.total() <= 1 + 1 + number // 500


async def test_only_what_changed_since_is_read_with_an_overlap(
    watch: BitrixWatch, portal: Portal
) -> None:
    old, near, new = (ours(portal, n) for n in range(3))
    now = datetime.fromisoformat(portal.now())
    for crm_id, age in ((old, OVERLAP + timedelta(seconds=1)), (near, OVERLAP), (new, timedelta())):
        portal.items[LEAD][crm_id]["updatedTime"] = (now - age).isoformat()
    seen = Seen()
    await watch.changed(now, seen)
    assert set(seen.leads) == {near, new}


async def test_a_lead_is_read_with_what_a_row_is_made_of(
    watch: BitrixWatch, portal: Portal
) -> None:
    crm_id = ours(portal, 7, name="Анна", companyTitle="Ромашка", opportunity=5)
    lead = portal.items[LEAD][crm_id]
    portal.update(LEAD, lead, {"stageId": "JUNK"}, multifields("PHONE", PHONE))
    seen = Seen()
    await watch.changed(None, seen)
    there = seen.leads[crm_id]
    assert (there.origin, there.name, there.phone, there.company, there.amount) == (
        "telegram:main:7:1", "Анна", PHONE, "Ромашка", Decimal(5),
    )  # fmt: skip
    assert (there.stage, there.semantic) == ("JUNK", "F")
    assert there.moved_at == there.updated_at == datetime.fromisoformat(lead["updatedTime"])


async def test_what_is_gone_is_told_from_what_is_there(watch: BitrixWatch, portal: Portal) -> None:
    there = [ours(portal, n) for n in range(120)]
    gone = {there[3], there[77]}
    for crm_id in gone:
        portal.delete(LEAD, portal.items[LEAD][crm_id])
    for whole in (True, False):
        seen = Seen()
        portal.requests.clear()
        await watch.look(there, seen, whole=whole)
        assert (seen.gone, seen.present) == (gone, set(there) - gone)
        assert set(seen.leads) == (set(there) - gone if whole else set())
        assert portal.requests.total() == 2
    empty = Seen()
    await watch.look([], empty, whole=True)
    assert empty == Seen()


async def test_a_missing_right_is_an_error_and_no_deletion(
    watch: BitrixWatch, portal: Portal
) -> None:
    crm_id, gone = ours(portal), 999
    portal.failures.add({"kind": "insufficient_scope", "methods": ["crm.item.get"]})
    seen = Seen()
    await watch.look([crm_id, gone], seen, whole=True)
    assert (set(seen.leads), seen.gone, set(seen.unread)) == ({crm_id}, set(), {gone})
    portal.failures.add({"kind": "insufficient_scope", "methods": ["crm.item.list"]})
    seen = Seen()
    await watch.look([crm_id], seen, whole=True)
    assert (seen.leads, seen.gone, set(seen.unread)) == ({}, set(), {crm_id})
    assert all(isinstance(error, Denied) for error in seen.errors)
    assert "insufficient_scope" in str(seen.errors[0])
    with pytest.raises(Denied, match="insufficient_scope"):
        await watch.changed(None, seen)


async def test_a_lead_without_times_is_an_error_by_itself(
    watch: BitrixWatch, portal: Portal
) -> None:
    broken, well = ours(portal, 1), ours(portal, 2)
    portal.items[LEAD][broken]["createdTime"] = "yesterday"
    seen = Seen()
    await watch.changed(None, seen)
    assert set(seen.leads) == {well}
    assert str(broken) in str(seen.errors[0])


async def test_only_a_person_s_comment_is_an_answer(watch: BitrixWatch, portal: Portal) -> None:
    one, two, deleted = (ours(portal, n) for n in range(3))
    portal.comment(LEAD, one, "26.11.2026 10:00 МСК\nпозвоните\n[telegram:main:7:1]")
    portal.comment(LEAD, two, "26.11.2026 10:00 МСК\nпозвоните\n[telegram:main:7:2]")
    portal.comment(LEAD, two, "звонил [b]дважды[/b]")
    (_, said) = portal.comments[LEAD, two]
    portal.delete(LEAD, portal.items[LEAD][deleted])
    errors: list[PotokError] = []
    found = await watch.first_comments([one, two, deleted], errors)
    assert found == {two: datetime.fromisoformat(said["CREATED"])}
    assert [type(error) for error in errors] == [NotFound]


async def test_a_person_is_heard_after_a_page_of_our_comments(
    watch: BitrixWatch, portal: Portal
) -> None:
    lead = ours(portal)
    for number in range(120):
        portal.comment(LEAD, lead, f"26.11.2026 10:00 МСК\nещё\n[telegram:main:7:{number}]")
    assert await watch.first_comments([lead], []) == {}
    portal.comment(LEAD, lead, "звонил")
    said = portal.comments[LEAD, lead][-1]["CREATED"]
    assert await watch.first_comments([lead], []) == {lead: datetime.fromisoformat(said)}


async def test_a_comment_leads_to_its_lead(watch: BitrixWatch, portal: Portal) -> None:
    lead, contact = ours(portal), portal.add(CONTACT, {}, [])["id"]
    on_lead, on_contact = portal.comment(LEAD, lead, "а"), portal.comment(CONTACT, contact, "б")
    found, failed = await watch.leads_of_comments([on_lead, on_contact, 999])
    assert (found, failed) == ({on_lead: lead}, {})
    portal.failures.add({"kind": "insufficient_scope"})
    found, failed = await watch.leads_of_comments([on_lead])
    assert (found, set(failed)) == ({}, {on_lead})


async def test_a_portal_that_is_away_is_unavailable(watch: BitrixWatch, portal: Portal) -> None:
    portal.failures.add({"kind": "html_502"})
    with pytest.raises(Unavailable):
        await watch.changed(None, Seen())
