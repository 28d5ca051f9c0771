"""The same database fixtures as the store's, and the hooks in process on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lib.store.engine import Database
from tests.gateway.doors import Doors, doors_of
from tests.store.conftest import _empty_tables, db

__all__ = ["_empty_tables", "db"]


@pytest.fixture
async def doors(db: Database) -> AsyncIterator[Doors]:
    async with doors_of(db) as opened:
        yield opened
