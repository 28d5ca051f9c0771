"""Keys of tools. Of a key only its hash is kept."""

from __future__ import annotations

import difflib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lib.domain.llm.keys import PREFIX, Budget, budget_from, key_hash, shown
from lib.domain.llm.table_words import ALIKE
from lib.errors import Rejected
from lib.store.engine import Database
from lib.store.llm.rows import rows

_FIELDS = """
    k.id, k.name, k.hash, k.prefix, k.names, k.budget, k.rpm, k.keeps_texts, k.sees_usage,
    k.created_at, k.expires_at, k.revoked_at, k.last_used_at
"""
# What a key has spent since its period began; months and days are those of UTC.
_SPENT = """
    coalesce((
      select sum(s.usd) from llm_spend s where s.key_id = k.id and s.day >=
        case when k.budget like '%/day' then (clock_timestamp() at time zone 'utc')::date
             when k.budget like '%/month'
               then date_trunc('month', clock_timestamp() at time zone 'utc')::date
             else date '2000-01-01' end
    ), 0) as spent_usd
"""
_LIVING = "k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())"
_ENDED = f"select k.hash, k.revoked_at, k.expires_at from llm_keys k where not ({_LIVING})"  # noqa: S608
_LIST = f"select {_FIELDS}, {_SPENT} from llm_keys k"  # noqa: S608
_INSERT = """
    insert into llm_keys
      (name, hash, prefix, names, budget, rpm, keeps_texts, sees_usage, expires_at)
    values (%(name)s, %(hash)s, %(prefix)s, %(names)s, %(budget)s, %(rpm)s, %(keeps_texts)s,
      %(sees_usage)s, %(expires_at)s)
    on conflict (name) where revoked_at is null do nothing returning id
"""
_END_EXPIRED = """
    update llm_keys set revoked_at = expires_at
    where name = %(name)s and revoked_at is null and expires_at <= clock_timestamp()
"""
_USED = "update llm_keys set last_used_at = clock_timestamp() where id = %s"
_REVOKE = "update llm_keys set revoked_at = clock_timestamp() where id = %s"


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key is made with.

    Attributes:
        names: what it may ask for; see `lib.domain.llm.names`.
        rpm: calls a minute.
    """

    name: str
    names: tuple[str, ...]
    budget: Budget | None = None
    rpm: int | None = None
    keeps_texts: bool = False
    sees_usage: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was made.

    Attributes:
        hash: of the secret, which nobody has but the tool.
        prefix: the secret's beginning.
        spent_usd: in the present period of the budget; without a budget ever.
    """

    id: int
    name: str
    hash: str
    prefix: str
    names: tuple[str, ...]
    budget: Budget | None
    rpm: int | None
    keeps_texts: bool
    sees_usage: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    spent_usd: Decimal

    def is_living(self, now: datetime) -> bool:
        """Whether it opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Keys:
    """The keys in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, new: NewKey) -> str:
        """Make a key.

        Returns:
            The secret; it can be had nowhere else, and never again.

        Raises:
            Rejected: a living key has this name.
        """
        secret = PREFIX + secrets.token_urlsafe(32)
        row = {
            "name": new.name,
            "hash": key_hash(secret),
            "prefix": shown(secret),
            "names": list(new.names),
            "budget": str(new.budget) if new.budget else None,
            "rpm": new.rpm,
            "keeps_texts": new.keeps_texts,
            "sees_usage": new.sees_usage,
            "expires_at": new.expires_at,
        }
        await rows(self._database, _END_EXPIRED, row)
        if not await rows(self._database, _INSERT, row):
            words = f"there is a key named {new.name!r}: `potok llm key revoke {new.name}` ends it"
            raise Rejected(words)
        return secret

    async def living(self) -> list[Key]:
        """Every key that opens something."""
        return await self._read(f"{_LIST} where {_LIVING}")

    async def ended(self) -> dict[str, str]:
        """What became of every key that opens nothing any more, by its hash."""
        return {
            row["hash"]: _end_of(row["revoked_at"], row["expires_at"])
            for row in await rows(self._database, _ENDED)
        }

    async def all(self) -> list[Key]:
        """Every key that was ever made, the newest first."""
        return await self._read(f"{_LIST} order by k.id desc")

    async def revoke(self, name: str) -> Key:
        """End a key, by its name or the beginning of its secret.

        Raises:
            Rejected: no living key has this name, or more than one begins so.
        """
        keys = [key for key in await self.all() if key.is_living(datetime.now(UTC))]
        found = [key for key in keys if name == key.name or name[:12] == key.prefix]
        if len(found) != 1:
            near = difflib.get_close_matches(name, [key.name for key in keys], 3, ALIKE)
            words = f"is {' or '.join(near)} meant?" if near else "`potok llm key list` shows them"
            raise Rejected(f"no living key named {name!r}: {words}")
        await rows(self._database, _REVOKE, (found[0].id,))
        return found[0]

    async def used(self, key_id: int) -> None:
        """Note that a key has just been used; for doors that keep no record of calls."""
        await rows(self._database, _USED, (key_id,))

    async def _read(self, statement: str) -> list[Key]:
        return [_key(row) for row in await rows(self._database, statement)]


def _end_of(revoked_at: datetime | None, expires_at: datetime | None) -> str:
    # An expired key whose name was given to a new one is revoked as of its last day.
    if expires_at is not None and (revoked_at is None or revoked_at >= expires_at):
        return f"expired on {expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"was revoked on {(revoked_at or datetime.now(UTC)).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _key(row: dict[str, Any]) -> Key:
    budget = budget_from(row.pop("budget")) if row["budget"] else row.pop("budget")
    return Key(budget=budget, names=tuple(row.pop("names")), **row)
