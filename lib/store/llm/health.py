"""What the probes found of each model: the newest for the doors, and a week for the plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from psycopg.types.json import Jsonb

from lib.store.engine import Database
from lib.store.llm.rows import clean, rows

# Models that the table no longer names are forgotten, for the probe looks at all it names.
_WRITE = """
    with given as (
      select * from jsonb_to_recordset(%(rows)s) as g(provider text, model text, ok boolean,
        state text, reason text, first_token_ms real, price_in_usd numeric, price_out_usd numeric,
        retires_on date, checked_at timestamptz)
    ), probed as (
      insert into llm_probes (at, provider, model, state, first_token_ms)
      select checked_at, provider, model, state, first_token_ms from given
    ), old as (
      delete from llm_probes where at < clock_timestamp() - interval '7 days'
    ), gone as (
      delete from llm_health h where not exists
        (select from given g where g.provider = h.provider and g.model = h.model)
    )
    insert into llm_health select provider, model, ok, state, reason, first_token_ms, price_in_usd,
      price_out_usd, retires_on, checked_at from given
    on conflict (provider, model) do update set ok = excluded.ok, state = excluded.state,
      reason = excluded.reason, first_token_ms = excluded.first_token_ms,
      price_in_usd = excluded.price_in_usd, price_out_usd = excluded.price_out_usd,
      retires_on = excluded.retires_on, checked_at = excluded.checked_at
"""
_HISTORY = """
    select at, provider, model, state, first_token_ms from llm_probes where at >= %s order by at
"""


@dataclass(frozen=True, slots=True)
class Health:
    """A model of a provider, as the last probe found it; see `lib.domain.routing.Finding`."""

    provider: str
    model: str
    ok: bool
    state: str
    reason: str
    first_token_ms: float | None
    price_in_usd: Decimal | None
    price_out_usd: Decimal | None
    retires_on: date | None
    checked_at: datetime


class Healths:
    """The findings in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, found: Sequence[Health]) -> None:
        """Write what one probe found of all models."""
        given = [{k: _plain(v) for k, v in asdict(health).items()} for health in found]
        await rows(self._database, _WRITE, {"rows": Jsonb(given)})

    async def read(self) -> list[Health]:
        """The newest finding of each model."""
        found = await rows(self._database, "select * from llm_health order by provider, model")
        return [Health(**row) for row in found]

    async def history(self, since: datetime) -> list[dict[str, Any]]:
        """Findings since a time in its order: at, provider, model, state, first_token_ms."""
        return await rows(self._database, _HISTORY, (since,))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    return str(value) if isinstance(value, Decimal | date) else value
