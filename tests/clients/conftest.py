"""A stand-in portal, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from deployments.sandbox.bitrix import Portal, bitrix_app
from lib.clients.bitrix import Bitrix
from lib.clients.bitrix_leads import BitrixLeads
from tests.clients.books import CODE, PORTAL
from tests.sandbox_server import running


@pytest.fixture
def portal() -> Portal:
    PORTAL.reset()
    return PORTAL


@pytest.fixture(scope="module")
async def base_url() -> AsyncIterator[str]:
    app = Starlette(routes=[Mount("/bitrix", bitrix_app(PORTAL))])
    async with running(app) as url:
        yield url


@pytest.fixture(scope="module")
async def crm(base_url: str) -> AsyncIterator[BitrixLeads]:
    async with Bitrix(f"{base_url}/bitrix/rest/1/{CODE}/", timeout_s=10) as bitrix:
        yield BitrixLeads(bitrix, assigned_by_id=1)
