"""Our side of ``reconcile``: what is known of leads in the CRM, and writing what was mended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from lib.domain.reconcile import Adopt, Change, Forget, Here, Link, Mend, Resend
from lib.store import reconcile_sql as sql
from lib.store.engine import Database
from lib.store.events import announce, lead_changed
from lib.store.inbox import CHANNEL
from lib.store.moves import tell_anew

M = TypeVar("M")
WATERMARK = "leads"

_COLUMNS = (
    *("lead_id", "origin", "opened_at", "crm_id", "crm_linked", "crm_stage", "crm_state"),
    *("crm_changed_at", "crm_deleted_at", "answered_at", "unsaid", "in_hands"),
)


@dataclass(frozen=True, slots=True)
class Noted:
    """What to look for there.

    Attributes:
        since: up to when all changes there were read; None: never.
        followed: ids there of leads whose every change counts: open ones, and foreign ones that
            ours are linked to, which no list of our own shows.
        closed: ids of the others, which may be deleted.
        unanswered: ids of open ones of the last month that nobody is known to have answered.
    """

    since: datetime | None
    followed: frozenset[int]
    closed: frozenset[int]
    unanswered: frozenset[int]


class Reconciliation:
    """Leads as they are compared with the CRM's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def noted(self) -> Noted:
        """What to look for there."""
        async with self._database.transaction() as connection:
            since = (await connection.execute(sql.SINCE, {"name": WATERMARK})).scalar()
            rows = (await connection.execute(sql.NOTED)).all()
        return Noted(
            since,
            frozenset(row.crm_id for row in rows if row.followed),
            frozenset(row.crm_id for row in rows if not row.followed),
            frozenset(row.crm_id for row in rows if row.unanswered),
        )

    async def here(
        self, crm_ids: Collection[int], origins: Collection[str], *, behind: bool
    ) -> list[Here]:
        """Our leads with these ids there, or these origins; ``behind``: and all it lacks."""
        given = {"crm_ids": list(crm_ids), "origins": list(origins), "behind": behind}
        async with self._database.transaction() as connection:
            rows = (await connection.execute(sql.HERE, given)).all()
        return [
            Here(**{name: row._mapping[name] for name in _COLUMNS}, deliveries=_deliveries(row))
            for row in rows
        ]

    async def apply(self, mends: Sequence[Mend], read_to: datetime | None = None) -> list[Mend]:
        """Write what was mended, and how far was read, in one transaction.

        A lead that changed here since it was compared is left as it is, for the next time.

        Returns:
            Those that were written.
        """
        by_kind: defaultdict[type[Mend], list[Any]] = defaultdict(list)
        for mend in mends:
            by_kind[type(mend)].append(mend)
        done: set[Mend] = set()
        async with self._database.transaction() as connection:
            ids = sorted({mend.lead_id for mend in mends if mend.lead_id is not None})
            await connection.execute(sql.LOCK, {"ids": ids})
            for kind, write in _WRITERS:
                if by_kind[kind]:
                    done |= await write(connection, by_kind[kind])
            if read_to is not None:
                await connection.execute(sql.READ_TO, {"name": WATERMARK, "at": read_to})
        return [mend for mend in mends if mend in done]


def _deliveries(row: Any) -> tuple[int, ...]:
    """Of the words that it lacks; else the one that opened the lead."""
    return tuple(row.of_unsaid) or ((row.opening,) if row.opening is not None else ())


async def _run(
    connection: AsyncConnection,
    statement: Any,
    mends: Iterable[M],
    row_of: Callable[[M], dict[str, Any]],
    key_of: Callable[[M], Any],
) -> set[M]:
    """Run a statement on rows as JSON; the mends whose keys it gives."""
    mends = list(mends)
    rows = orjson.dumps([row_of(mend) for mend in mends]).decode()
    found = set((await connection.execute(statement, {"rows": rows})).scalars())
    return {mend for mend in mends if key_of(mend) in found}


async def _link(connection: AsyncConnection, mends: list[Link]) -> set[Link]:
    done = await _run(connection, sql.LINK, mends, asdict, lambda m: m.lead_id)
    # Whether the CRM has these words nobody knows: they are looked up before they are sent.
    await connection.execute(sql.DOUBT_WORDS, {"ids": [m.lead_id for m in done]})
    await tell_anew(connection, [m.lead_id for m in done])
    return done


async def _forget(connection: AsyncConnection, mends: list[Forget]) -> set[Forget]:
    done = await _run(connection, sql.FORGET, mends, asdict, lambda m: m.lead_id)
    await connection.execute(sql.UNSAY_WORDS, {"ids": [m.lead_id for m in done]})
    return done


async def _adopt(connection: AsyncConnection, mends: list[Adopt]) -> set[Adopt]:
    def row_of(mend: Adopt) -> dict[str, Any]:
        there = asdict(mend.there)
        amount = {"amount": str(there["amount"]) if there["amount"] is not None else None}
        return there | asdict(mend.status) | amount | {
            "source": mend.source,
            "person": mend.person,
        }  # fmt: skip

    return await _run(connection, sql.ADOPT, mends, row_of, lambda m: m.there.origin)


async def _change(connection: AsyncConnection, mends: list[Change]) -> set[Change]:
    def row_of(mend: Change) -> dict[str, Any]:
        return asdict(mend.status) | {"lead_id": mend.lead_id, "crm_id": mend.crm_id}

    done = await _run(connection, sql.CHANGE, mends, row_of, lambda m: m.lead_id)
    news = [
        lead_changed(m.lead_id, f"crm:{m.status.state}:{m.status.changed_at.isoformat()}")
        for m in mends
        if m in done and m.is_news
    ]
    await announce(connection, news)
    return done


async def _resend(connection: AsyncConnection, mends: list[Resend]) -> set[Resend]:
    ids = [delivery for mend in mends for delivery in mend.deliveries]
    found = set((await connection.execute(sql.RESEND, {"ids": ids})).scalars())
    await connection.execute(text("select pg_notify(:channel, '')"), {"channel": CHANNEL})
    return {mend for mend in mends if found & set(mend.deliveries)}


# In this order: what a lead is linked to is what was changed, and then its words are looked up.
_WRITERS: tuple[tuple[type[Mend], Callable[[AsyncConnection, Any], Any]], ...] = (
    (Adopt, _adopt),
    (Link, _link),
    (Forget, _forget),
    (Change, _change),
    (Resend, _resend),
)
