"""What every call used: written in groups, and summed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from psycopg.types.json import Jsonb

from lib.errors import Rejected
from lib.store.engine import Database
from lib.store.llm.rows import clean, rows

UNKNOWN = "unknown name"  # the reason of calls for a name that was in no table: typed at random
BY = {
    "key": "c.caller",
    "alias": f"case when c.reason = '{UNKNOWN}' then '(unknown)' else c.alias end",
    "provider": "coalesce(nullif(c.provider, ''), '-')",
    "model": "coalesce(nullif(c.model, ''), '-')",
    "day": "to_char(c.at at time zone 'utc', 'YYYY-MM-DD')",
}
_TYPES = {
    "at": "timestamptz",
    "key_id": "bigint",
    "price_usd": "numeric",
    "first_token_ms": "real",
    "total_ms": "real",
    "status": "int",
    "tries": "jsonb",
    "texts": "jsonb",
    **dict.fromkeys(("prompt_tokens", "cached_tokens", "completion_tokens"), "bigint"),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Attributes:
        key_id: None for a flow; ``caller`` is the name of the tool or the flow.
        provider, model: who answered, or failed last; "" when nobody was asked.
        cached_tokens: of ``prompt_tokens``, those that the provider had already.
        price_usd: None when nobody knows it.
        outcome: ``ok``, ``cached`` (known here), ``failed``, ``cancelled``, or ``refused``: by us,
            for it was wrong, forbidden or above a limit.
        reason: a kind of failure, without anybody's words.
        tries: candidates that failed before.
        texts: the question, for a key that keeps texts.
    """

    at: datetime
    key_id: int | None
    caller: str
    door: str
    alias: str
    provider: str
    model: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    price_usd: Decimal | None
    first_token_ms: float | None
    total_ms: float
    outcome: str
    status: int
    reason: str | None
    tries: list[dict[str, Any]]
    texts: dict[str, Any] | None


_COLUMNS = [field.name for field in fields(Call)]
_TEXTS = [name for name in _COLUMNS if name not in _TYPES]
_ARRAYS = ", ".join(f"%({name})s::{_TYPES.get(name, 'text')}[]" for name in _COLUMNS)
_WRITE = f"""
    with given as (
      select * from unnest({_ARRAYS}) as g({", ".join(_COLUMNS)})
    ), written as (
      insert into llm_calls ({", ".join(_COLUMNS)}) select * from given
    ), used as (
      update llm_keys k set last_used_at = u.at
      from (select key_id, max(at) as at from given group by key_id) u where k.id = u.key_id
    )
    insert into llm_spend as s (key_id, day, usd, calls)
    select key_id, (at at time zone 'utc')::date, sum(coalesce(price_usd, 0)), count(*)
    from given where key_id is not null group by 1, 2 order by 1, 2
    on conflict (key_id, day) do update
      set usd = s.usd + excluded.usd, calls = s.calls + excluded.calls
"""  # noqa: S608 — names of columns, all ours
_SUMS = """
    count(*) as calls,
    count(*) filter (where c.outcome = 'failed') as failed,
    count(*) filter (where c.outcome = 'refused') as refused,
    count(*) filter (where c.outcome = 'cached') as cached,
    coalesce(sum(c.prompt_tokens), 0)::bigint as tokens_in,
    coalesce(sum(c.completion_tokens), 0)::bigint as tokens_out,
    coalesce(sum(c.price_usd), 0) as usd,
    percentile_cont(0.5) within group (order by c.first_token_ms) as first_token_p50_ms,
    percentile_cont(0.95) within group (order by c.first_token_ms) as first_token_p95_ms,
    percentile_cont(0.5) within group (order by c.total_ms) as total_p50_ms,
    percentile_cont(0.95) within group (order by c.total_ms) as total_p95_ms
"""
_USAGE = "select {by} as name, {sums} from llm_calls c where c.at >= %s group by 1 order by {order}"
_SERIES = f"""
    select to_timestamp(floor(extract(epoch from c.at) / %(step_s)s) * %(step_s)s) as at,
      {BY["alias"]} as name, {_SUMS}
    from llm_calls c where c.at >= %(since)s group by 1, 2 order by 1, 2
"""  # noqa: S608


_KEPT = """
    select at, caller, alias, outcome, texts from llm_calls
    where texts is not null and at >= %(since)s
      and (%(caller)s::text is null or caller = %(caller)s)
    order by at desc, id desc limit %(limit)s
"""


class Calls:
    """The calls in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, calls: Sequence[Call]) -> None:
        """Write calls, and what their keys have spent, in one statement: all or nothing."""
        if not calls:
            return
        values: dict[str, list[Any]] = {
            name: [getattr(call, name) for call in calls] for name in _COLUMNS
        }
        for name in ("tries", "texts"):
            values[name] = [_jsonb(value) if value else None for value in values[name]]
        for name in _TEXTS:
            values[name] = [value and clean(value) for value in values[name]]
        await rows(self._database, _WRITE, values)

    async def usage(self, since: datetime, by: str = "key") -> list[dict[str, Any]]:
        """Sums since a time, by ``key``, ``alias``, ``provider``, ``model`` or ``day``.

        Returns:
            Rows with name, calls, failed, refused, cached, tokens_in, tokens_out, usd, and the 50th
            and 95th percentiles of first_token and total in ms; the dearest first, days in their
            order. Names that were in no table are one, ``(unknown)``.

        Raises:
            Rejected: it is by something else.
        """
        if by not in BY:
            raise Rejected(f"usage is by {', '.join(BY)}, not by {by!r}")
        order = "1" if by == "day" else "usd desc, calls desc, 1"
        statement = _USAGE.format(by=BY[by], sums=_SUMS, order=order)
        return await rows(self._database, statement, (since,))

    async def texts(self, since: datetime, caller: str | None, limit: int) -> list[dict[str, Any]]:
        """The newest questions that were kept, in their order: at, caller, alias, outcome, texts.

        Args:
            caller: the tool's name; None: every tool's.
        """
        values = {"since": since, "caller": caller, "limit": limit}
        return (await rows(self._database, _KEPT, values))[::-1]

    async def series(self, since: datetime, step_s: float) -> list[dict[str, Any]]:
        """The same sums for each alias in steps of time; ``at`` is where a step begins."""
        return await rows(self._database, _SERIES, {"since": since, "step_s": step_s})


def _jsonb(value: Any) -> Jsonb | None:
    """JSON that PostgreSQL can hold; what is nested too deeply to be written is not kept."""
    try:
        written = orjson.dumps(value).replace(b"\\u0000", b"\\ufffd")
    except orjson.JSONEncodeError:
        return Jsonb({"not kept": "no JSON that can be written"})
    return Jsonb(value, dumps=lambda _: written)
