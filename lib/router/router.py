"""The router: a question goes to the candidates in order until one answers.

Retries and other candidates come before the first token, never after it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import aiohttp

from lib.clients.providers import Providers, key_for, read, translated
from lib.domain.llm.dialects import Stamp
from lib.domain.llm.exchange import Ask, Exchange, Whole
from lib.domain.llm.refusals import NoSuchModel, NotForThisModel
from lib.domain.llm.table import Candidate, Provider, candidates_for, check_gives
from lib.errors import Denied, PotokError, RateLimited, Unavailable
from lib.router.board import Board
from lib.router.outcomes import (
    ClientTooSlow,
    IsOpen,
    KeyForbids,
    NobodyAnswered,
    Try,
    reason_of,
)
from lib.router.record import Record
from lib.router.relay import Relay
from lib.router.shelf import Shelf
from lib.store.llm.cache import Cache
from lib.store.llm.slots import Slots

log = logging.getLogger(__name__)

T = TypeVar("T")
RETRY_S = 0.2
BAD_GATEWAY = 502
CLIENT_LEFT = 499
READS_WITHIN_S = 1.0  # a client, at least, what is sent just before the time is over


class Sink(Protocol):
    """Where a stream goes."""

    async def start(self, candidate: Candidate) -> None:
        """The first token is there."""

    async def send(self, piece: bytes) -> None:
        """Bytes in the client's dialect."""


@dataclass(frozen=True, slots=True)
class _Answering:
    """A candidate that answers.

    Attributes:
        limit: ends the try, so that another one may follow.
        ends_at: when the whole answer has to be there, by the loop's clock.
    """

    exchange: Exchange
    response: aiohttp.ClientResponse
    candidate: Candidate
    limit: asyncio.Timeout
    ends_at: float


Once = Callable[[_Answering], Awaitable[T]]


@dataclass(slots=True)
class Router:
    """Asks the candidates for an alias.

    Attributes:
        shelf: the table.
        providers: the connections to them.
        credential: a provider's key, by the name of its block; None: nobody has configured it.
        board: how each model is doing.
        slots: places at providers that take only so many calls at once.
        cache: answers that are still good.
    """

    shelf: Shelf
    providers: Providers
    credential: Callable[[str], str | None]
    board: Board
    slots: Slots
    cache: Cache
    jitter: Callable[[], float] = field(default=random.random)

    def check(self, ask: Ask) -> None:
        """Refuse, before anybody is asked, what the table knows that nobody can answer.

        Raises:
            UnknownModel: no alias and no real model has this name.
            NotForThisModel: it gives vectors and words are wanted, for example.
        """
        candidates_for(self.shelf.table, ask.name)
        check_gives(self.shelf.table, ask.name, ask.gives)

    def check_price(self, name: str) -> None:
        """Raise KeyForbids for a real model of which nobody knows what it costs: no budget holds.

        An alias is the table's own word, and Ollama's models cost nothing.
        """
        table = self.shelf.table
        if name in table.aliases:
            return
        for candidate in candidates_for(table, name).candidates:
            is_free = table.providers[candidate.provider].kind == "ollama"
            if not is_free and self.board.priced(candidate).price is None:
                raise KeyForbids(
                    f"this key has a budget, and nobody here knows what {candidate.name} costs:"
                    " ask for an alias that has it with a `price`, or by a key without a budget"
                )

    async def answer(self, ask: Ask, record: Record) -> bytes:
        """The whole answer in the client's dialect.

        Raises:
            NobodyAnswered: no candidate did.
            Rejected: the question is wrong, in a provider's eyes too.
        """
        if ask.estimate is not None and not self._has_counter(ask.name):
            return ask.estimate
        kept_as = self._kept_as(ask)
        if kept_as is not None and (kept := await self.cache.get(kept_as)) is not None:
            record.was_kept()
            return kept

        async def whole(answering: _Answering) -> Whole:
            return answering.exchange.whole(await read(answering.response))

        found = await self._asked(ask, record, whole)
        record.used(found.usage)
        if kept_as is not None:
            await self.cache.put(kept_as, found.body, self.shelf.table.cache_s)
        return found.body

    async def stream(self, ask: Ask, record: Record, sink: Sink) -> None:
        """Send the answer as it comes; one that breaks ends with an error event.

        Raises:
            NobodyAnswered, Rejected: as ``answer``; nothing was sent then.
        """

        async def relayed(answering: _Answering) -> bytes:
            relay = Relay(answering.exchange.streaming())
            pieces = aiter(answering.response.content.iter_any())
            await _first_token(relay, pieces)
            record.first_token()
            answering.limit.reschedule(None)  # no other candidate is tried from here on
            name = answering.candidate.name
            await sink.start(answering.candidate)
            try:
                with translated():
                    await _rest(relay, pieces, sink, answering.ends_at)
                return relay.taken()
            except ClientTooSlow as exc:
                record.ended("cancelled", CLIENT_LEFT, reason_of(exc))
                self.board.given_up(name)
                return relay.taken() + ask.fail(BAD_GATEWAY, str(exc))
            except PotokError as exc:
                record.broke(reason_of(exc))
                self.board.failed(name)
                log.warning("llm.broke_off model=%s reason=%s", name, reason_of(exc))
                return relay.taken() + ask.fail(BAD_GATEWAY, f"{name} broke off: {exc}")
            finally:
                record.used(relay.used(len(answering.exchange.payload)))

        last = await self._asked(ask, record, relayed)
        await sink.send(last)  # a client that does not read keeps no place at the provider

    async def _asked(
        self,
        ask: Ask,
        record: Record,
        once: Once[T],
    ) -> T:
        """What the first candidate gives that answers."""
        alias = candidates_for(self.shelf.table, ask.name)
        for candidate in self.board.candidates(alias):
            provider = self.shelf.table.providers[candidate.provider]
            for number in range(provider.tries):
                began = time.monotonic()
                try:
                    return await self._once(ask, record, candidate, provider, once)
                except (NotForThisModel, NoSuchModel, Denied, Unavailable) as exc:
                    ms = (time.monotonic() - began) * 1000
                    record.tried(
                        Try(candidate.provider, candidate.model, reason_of(exc), ms, str(exc))
                    )
                    log.warning("llm.failed model=%s reason=%s", candidate.name, reason_of(exc))
                    if not isinstance(exc, Unavailable) or isinstance(exc, RateLimited | IsOpen):
                        break
                if number + 1 < provider.tries:
                    await asyncio.sleep(RETRY_S * 2**number * (0.5 + self.jitter()))
        waits = [self.board.wait_s(candidate.name) for candidate in alias.candidates]
        is_alias = ask.name in self.shelf.table.aliases
        raise NobodyAnswered(ask.name, record.tries, min(waits), is_alias=is_alias)

    async def _once(
        self,
        ask: Ask,
        record: Record,
        candidate: Candidate,
        provider: Provider,
        once: Once[T],
    ) -> T:
        stamp = Stamp(secrets.token_hex(12), int(time.time()), candidate.model)
        exchange = ask.exchange(provider.kind, candidate, stamp)
        key = key_for(provider, self.credential)
        async with self.slots.place(
            candidate.provider, provider.at_once, provider.queue_s, provider.queue
        ):
            if (open_s := self.board.wait_s(candidate.name)) > 0:  # others failed meanwhile
                raise IsOpen(open_s)
            record.asking(self.board.priced(candidate))
            self.board.began(candidate.name)
            began, timeouts = asyncio.get_running_loop().time(), provider.timeouts
            ends_at = began + timeouts.total
            first_at = min(began + timeouts.first_token, ends_at) if ask.stream else ends_at
            try:
                with translated():
                    async with (
                        asyncio.timeout_at(first_at) as limit,
                        self.providers.asked(
                            provider,
                            key,
                            exchange.path,
                            exchange.form or exchange.payload,
                            exchange.headers,
                        ) as response,
                    ):
                        answering = _Answering(exchange, response, candidate, limit, ends_at)
                        given = await once(answering)
            except (NoSuchModel, Denied, Unavailable) as exc:
                wait_s = exc.retry_after_s if isinstance(exc, RateLimited) else None
                self.board.failed(candidate.name, wait_s)
                raise
            except BaseException:
                self.board.given_up(candidate.name)
                raise
        if record.outcome == "ok":
            self.board.answered(candidate.name, record.first_token_ms if ask.stream else None)
        return given

    def _has_counter(self, name: str) -> bool:
        """Whether a candidate counts tokens itself."""
        table = self.shelf.table
        candidates = candidates_for(table, name).candidates
        return any(table.providers[each.provider].kind == "anthropic" for each in candidates)

    def _kept_as(self, ask: Ask) -> bytes | None:
        if ask.cache_key is None or not self.shelf.table.cache_s:
            return None
        named = f"{ask.door}\n{ask.name}\n{self.shelf.digest}\n".encode()
        return hashlib.sha256(named + ask.cache_key).digest()


async def _first_token(relay: Relay, pieces: AsyncIterator[bytes]) -> None:
    async for piece in pieces:
        relay.feed(piece)
        if relay.has_token:
            return
    relay.end()
    if not relay.has_token:
        raise Unavailable("the stream ended before its first token")


async def _rest(relay: Relay, pieces: AsyncIterator[bytes], sink: Sink, ends_at: float) -> None:
    """Send on what comes after the first token; the last bytes are left in the relay."""
    clock = asyncio.get_running_loop().time
    piece: bytes | None = b""
    while piece is not None:
        relay.feed(piece)
        if told := relay.taken():
            try:
                async with asyncio.timeout_at(max(ends_at, clock() + READS_WITHIN_S)):
                    await sink.send(told)
            except TimeoutError:
                raise ClientTooSlow("the client does not read") from None
        if clock() >= ends_at:  # where there is always more to read no timeout comes to its turn
            raise Unavailable("the answer takes too long")
        async with asyncio.timeout_at(ends_at):
            piece = await anext(pieces, None)
    relay.end()
