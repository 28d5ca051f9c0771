"""Leads are found by what a person remembers of them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lib.errors import Rejected
from lib.store.engine import Database
from lib.store.lead_search import LeadSearch
from lib.store.leads import Leads
from tests.store.making import read, run_sql


@pytest.fixture
async def search(db: Database) -> LeadSearch:
    """Three leads: a loan with a phone, a lease at 100 %, and one by mail."""
    messages = [
        read(1, "Нужен кредит 5 млн, 8 (916) 565-64-94", sender=1, chat=1),
        read(2, "Нужен лизинг станка, аванс 100%", sender=2, chat=2, at=timedelta(hours=1)),
        read(3, "Нужна ипотека, pishi@example.ru", sender=3, chat=3, at=timedelta(hours=2)),
    ]
    leads = await Leads(db).grow(messages)
    hot = leads[1]
    assert hot is not None
    await run_sql(
        db,
        "insert into scores (lead_id, score, band, rules, inputs, reasons)"
        " values (:id, 90, 'hot', 'v', '{}', '[]')",
        id=hot.id,
    )
    return LeadSearch(db)


async def found(search: LeadSearch, query: str, **more: object) -> list[int]:
    return [lead["id"] for lead in await search.find(query, **more)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [3, 2, 1]),
        ("  ", [3, 2, 1]),
        ("8 916 565", [1]),
        ("+7 (916) 565-64-94", [1]),
        ("89165656494", [1]),
        ("9165656494", [1]),
        ("ЛИЗИНГ", [2]),
        ("pishi@", [3]),
        ("100%", [2]),
        ("%", [2]),
        ("_", []),
        ("\\", []),
        ("2", [2]),
        ("нет такого", []),
        ("'; drop table leads; --", []),
    ],
)
async def test_a_lead_is_found(search: LeadSearch, query: str, ids: list[int]) -> None:
    assert await found(search, query) == ids


async def test_a_band_and_a_limit_narrow(search: LeadSearch) -> None:
    assert await found(search, "", band="hot") == [1]
    assert await found(search, "", band="cold") == []
    assert await found(search, "", limit=2) == [3, 2]


async def test_words_are_given_only_where_they_are_asked_for(search: LeadSearch) -> None:
    [plain] = await search.find("кредит")
    assert "messages" not in plain
    [told] = await search.find("кредит", texts=True)
    assert [each["text"] for each in told["messages"]] == ["Нужен кредит 5 млн, 8 (916) 565-64-94"]


@pytest.mark.parametrize("query", ["a" * 201, "a\x00", "\ud800"])
async def test_what_is_no_query_is_refused(search: LeadSearch, query: str) -> None:
    with pytest.raises(Rejected, match="a query is a text"):
        await search.find(query)


async def test_there_are_three_bands(search: LeadSearch) -> None:
    with pytest.raises(Rejected, match="hot, warm, cold"):
        await search.find(band="boiling")
