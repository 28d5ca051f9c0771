"""The keys that open the door, and what each may still do."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from lib.domain.llm.keys import key_hash
from lib.domain.llm.names import ALL, is_allowed
from lib.domain.llm.table import Table
from lib.errors import BadSignature, Unavailable
from lib.router.outcomes import KeyForbids, OverLimit
from lib.store.failures import StatementFailed
from lib.store.llm.keys import Key, Keys
from lib.store.llm.patience import Patience
from lib.store.llm.rates import Rates

log = logging.getLogger(__name__)

REFRESH_S = 1.0  # a revoked key opens nothing after this
LOOK_AGAIN_S = 0.2  # for keys that nobody knows: one query for as many as come
ANSWERS_WITHIN_S = 5.0
RESTS_S = 1.0


class Keyring:
    """The living keys, read again and again.

    Args:
        keys: where they are.
        rates: what they may do in a minute.
        table: the table that holds now: it may say more about a tool's key.
        made_by: the command that makes a key.
    """

    def __init__(
        self,
        keys: Keys,
        rates: Rates,
        table: Callable[[], Table],
        made_by: str = "potok llm key create",
    ) -> None:
        self._keys = keys
        self._rates = rates
        self._table = table
        self._made_by = made_by
        self._living: dict[str, Key] = {}
        self._ended: dict[str, str] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._patience = Patience(ANSWERS_WITHIN_S, RESTS_S)
        self._unwritten: dict[int, Decimal] = {}

    async def watch(self) -> None:
        """Follow the keys for ever; with the database away those that are known hold."""
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await self.read()
            except (Unavailable, StatementFailed) as exc:
                log.warning("keys.not_refreshed reason=%s", exc)

    async def read(self) -> None:
        """Read the keys now."""
        living = {key.hash: key for key in await self._patience.ask(self._keys.living)}
        ended = await self._patience.ask(self._keys.ended)
        self._living, self._ended, self._read_at = living, ended, time.monotonic()

    async def find(self, secret: str | None) -> Key:
        """The key of a secret.

        Raises:
            BadSignature: there is none, or it is revoked or expired.
            Unavailable: the database is away, and the key is not known here.
        """
        if not secret:
            raise BadSignature("no key: send it as Authorization: Bearer …, or as x-api-key")
        hashed = key_hash(secret)
        key = self._living.get(hashed)
        if key is None:
            async with self._reading:
                if time.monotonic() - self._read_at > LOOK_AGAIN_S:
                    await self.read()
            key = self._living.get(hashed)
        if key is None:
            told = self._ended.get(hashed, "is not known")  # to who has the whole of it
            raise BadSignature(f"this key {told}: `{self._made_by}` makes one")
        if key.expires_at and key.expires_at <= datetime.now(UTC):
            raise BadSignature(f"this key has just expired: `{self._made_by}` makes one")
        return key

    def names(self, key: Key) -> tuple[str, ...]:
        """What the key may ask for; see `lib.domain.llm.names`."""
        return self._table().permissions.get(key.name, key.names)

    def check_name(self, key: Key, name: str) -> None:
        """Raise KeyForbids unless the key may ask for this model; UnknownModel if nobody may."""
        names = self.names(key)
        if not is_allowed(self._table(), names, name):
            told = ["every alias" if each == ALL else each for each in names]
            raise KeyForbids(f"this key may not ask for {name!r}; it may for {', '.join(told)}")

    async def admit(self, key: Key) -> None:
        """Count one call against the key's limits.

        Raises:
            OverLimit: it has none left; the error says when it has.
        """
        if key.budget is not None:
            spent = key.spent_usd + self._unwritten.get(key.id, Decimal(0))
            if spent >= key.budget.usd:
                now = datetime.now(UTC)
                end = key.budget.end(now)
                told = f"the budget of {key.budget.usd} USD is used up"
                who = "who runs potok makes one: `potok llm key create --budget …`"
                if end is None:
                    raise OverLimit(f"{told}; ask for a new one: {who}", 86_400.0)
                words = f"{told} until {end:%Y-%m-%d %H:%M} UTC; wait, or ask for a key with more"
                raise OverLimit(f"{words}: {who}", (end - now).total_seconds())
        if key.rpm is not None and (wait_s := await self._rates.take(key.id, key.rpm)) > 0:
            raise OverLimit(
                f"more than {key.rpm} calls a minute; come again in {wait_s:.0f} s", wait_s
            )

    def spent(self, key_id: int, usd: Decimal) -> None:
        """Count dollars that are not in the database yet."""
        self._unwritten[key_id] = self._unwritten.get(key_id, Decimal(0)) + usd

    def written(self, usd: Mapping[int, Decimal]) -> None:
        """Dollars are in the database now, by key."""
        for key_id, part in usd.items():
            self._unwritten[key_id] = self._unwritten.get(key_id, part) - part
        for hashed, key in self._living.items():
            if key.id in usd:  # until the keys are read again
                self._living[hashed] = replace(key, spent_usd=key.spent_usd + usd[key.id])
