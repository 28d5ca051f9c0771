"""A connection pool on the module's database, and empty tables for every test."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator

import pytest

from lib.store.engine import Database
from tests.store.making import run_sql
from tests.store.memory_runs import MemoryRuns


@pytest.fixture(scope="module")
async def db(database: str) -> AsyncIterator[Database]:
    """The module's database."""
    opened = Database(database)
    yield opened
    await opened.close()
    # One that was cancelled while it was being opened lives until it is collected, and DROP
    # DATABASE would wait for it as long as PostgreSQL waits for its password: a minute.
    gc.collect()


@pytest.fixture
def runs() -> MemoryRuns:
    """Flow runs in memory."""
    return MemoryRuns()


@pytest.fixture(autouse=True)
async def _empty_tables(db: Database) -> None:
    of_models = "llm_keys, llm_calls, llm_spend, llm_rates, llm_health, llm_probes, llm_cache"
    of_leads = "deliveries, batches, leads, lead_messages, watermarks, transcripts"
    await run_sql(db, f"truncate {of_leads}, {of_models} restart identity cascade")
