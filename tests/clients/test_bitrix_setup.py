"""Setting a stand-in portal up, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from deployments.sandbox.bitrix import Portal
from lib.clients.bitrix import Bitrix
from lib.clients.bitrix_setup import BitrixSetup, UserField
from lib.errors import AnswerLost, Denied
from tests.clients.books import CODE

SCORE = UserField("UF_CRM_POTOK_SCORE", "integer", "балл")
BAND = UserField("UF_CRM_POTOK_BAND", "string", "класс")


@pytest.fixture(scope="module")
async def setup(base_url: str) -> AsyncIterator[BitrixSetup]:
    async with Bitrix(f"{base_url}/bitrix/rest/1/{CODE}/", timeout_s=10) as bitrix:
        yield BitrixSetup(bitrix)


async def test_fields_are_made_once(setup: BitrixSetup, portal: Portal) -> None:
    assert await setup.ensure_user_fields([SCORE]) == [SCORE.name]
    assert await setup.ensure_user_fields([SCORE, BAND]) == [BAND.name]
    assert await setup.ensure_user_fields([SCORE, BAND]) == []
    kinds = {name: row["USER_TYPE_ID"] for name, row in portal.user_fields.items()}
    assert kinds == {SCORE.name: "integer", BAND.name: "string"}


async def test_a_field_whose_answer_was_lost_is_found(setup: BitrixSetup, portal: Portal) -> None:
    portal.failures.add({"kind": "lose_answer"})
    with pytest.raises(AnswerLost):
        await setup.ensure_user_fields([SCORE])
    assert await setup.ensure_user_fields([SCORE]) == []


async def test_a_right_that_is_missing_is_named(setup: BitrixSetup, portal: Portal) -> None:
    assert await setup.lacking_scopes() == []
    portal.scopes = ("crm",)
    assert await setup.lacking_scopes() == ["telephony"]
    portal.failures.add({"kind": "insufficient_scope"})
    with pytest.raises(Denied):
        await setup.lacking_scopes()
