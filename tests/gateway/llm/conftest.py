"""A door for each test, over the module's database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lib.store.engine import Database
from tests.gateway.llm.open_house import Open, opened


@pytest.fixture
async def door(db: Database, tmp_path: Path) -> AsyncIterator[Open]:
    async with opened(db.dsn, tmp_path) as found:
        yield found
