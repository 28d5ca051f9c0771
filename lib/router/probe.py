"""Asking every provider and model whether it is there, and how long its first token takes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lib.clients.providers import Providers, key_for, read, translated
from lib.domain.llm import asks
from lib.domain.llm.dialects import Stamp
from lib.domain.llm.exchange import Exchange, Question
from lib.domain.llm.table import Candidate, Gives, Provider, Table
from lib.domain.routing import (
    DOWN,
    NO_MODEL,
    OK,
    UNTRIED,
    Finding,
    is_listed,
    names_in,
    prices_in,
    state_of,
    told_apart,
)
from lib.errors import PotokError, Unavailable
from lib.router.outcomes import reason_of
from lib.router.relay import Relay

log = logging.getLogger(__name__)

LISTS = {"ollama": "/api/tags", "anthropic": "/v1/models?limit=1000"}
LOADED = "/api/ps"
LIST_WITHIN_S = 15.0
TOKENS = 16  # some reasoning models refuse fewer
STAMP = Stamp("probe", 0, "probe")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a provider says of itself."""

    names: set[str] | None
    loaded: set[str] | None
    prices: dict[str, Any]


class Probe:
    """Looks at every provider of a table.

    Args:
        providers: the connections to them.
        credential: a provider's key by the name of its block.
    """

    def __init__(self, providers: Providers, credential: Callable[[str], str | None]) -> None:
        self._providers = providers
        self._credential = credential

    async def look(self, table: Table) -> list[Finding]:
        """What was found of every candidate, each once; providers are asked at the same time."""
        by_provider: dict[str, dict[str, tuple[Candidate, Gives]]] = {}
        for alias in table.aliases.values():
            for candidate in alias.candidates:
                known = by_provider.setdefault(candidate.provider, {})
                known[candidate.model] = (candidate, alias.gives)
        looks = [
            self._provider(table.providers[name], list(models.values()))
            for name, models in by_provider.items()
        ]
        found = [finding for group in await asyncio.gather(*looks) for finding in group]
        return told_apart(found, await self._elsewhere(table, found))

    async def _provider(
        self, provider: Provider, models: list[tuple[Candidate, Gives]]
    ) -> list[Finding]:
        try:
            seen = await self._seen(provider)
        except PotokError as exc:
            state = state_of(exc)
            log.warning("probe.provider base_url=%s state=%s", provider.base_url, state)
            return [_finding(candidate, state, str(exc)) for candidate, _ in models]
        # One after the other: a probe is no load test.
        return [await self._model(provider, seen, *each) for each in models]

    async def _model(
        self, provider: Provider, seen: _Seen, candidate: Candidate, gives: Gives
    ) -> Finding:
        found = _finding(candidate, OK)
        if candidate.model in seen.prices:
            price_in, price_out = seen.prices[candidate.model]
            found = replace(found, price_in=price_in, price_out=price_out)
        if gives == "transcripts" and provider.kind == "openrouter":
            return replace(found, state=UNTRIED)  # its list has none of those
        if seen.names is not None and not is_listed(candidate.model, seen.names):
            return replace(found, state=NO_MODEL, reason="not in the provider's list")
        is_loaded = seen.loaded is None or is_listed(candidate.model, seen.loaded)
        if gives == "transcripts":  # a recording is no question for a token
            return replace(found, state=UNTRIED)
        if provider.probe == "never" or (provider.probe == "loaded" and not is_loaded):
            return replace(found, state=UNTRIED)
        began = time.monotonic()
        try:
            await self._first_token(provider, candidate, gives == "vectors")
        except PotokError as exc:
            return replace(found, state=state_of(exc), reason=reason_of(exc))
        return replace(found, first_token_ms=(time.monotonic() - began) * 1000)

    async def _first_token(self, provider: Provider, candidate: Candidate, embeds: bool) -> None:
        exchange = _question(provider, candidate, embeds)
        key = key_for(provider, self._credential)
        with translated():
            async with (
                asyncio.timeout(provider.timeouts.first_token),
                self._providers.asked(provider, key, exchange.path, exchange.payload) as response,
            ):
                if embeds:
                    exchange.whole(await read(response))
                    return
                relay = Relay(exchange.streaming())
                async for piece in response.content.iter_any():
                    relay.feed(piece)
                    if relay.has_token:
                        return
                relay.end()
        if not relay.has_token:
            raise Unavailable("it says nothing")

    async def _seen(self, provider: Provider) -> _Seen:
        key = key_for(provider, self._credential)
        with translated():
            async with asyncio.timeout(LIST_WITHIN_S):
                path = LISTS.get(provider.kind, "/models")
                listing = await self._providers.fetch(provider, key, path)
                loaded = None
                if provider.probe == "loaded":
                    loaded = names_in(await self._providers.fetch(provider, key, LOADED))
        listed = listing.get("data") if isinstance(listing, dict) else None
        return _Seen(names_in(listing), loaded, prices_in(listed))

    async def _elsewhere(self, table: Table, found: list[Finding]) -> dict[str, str]:
        """By provider that cannot be reached, another way by which its address answers."""
        answers = {}
        for name in {finding.provider for finding in found if finding.state == DOWN}:
            provider = table.providers[name]
            for way in self._providers.ways.names:
                if way == provider.egress:
                    continue
                try:
                    await self._seen(provider.model_copy(update={"egress": way}))
                except PotokError as exc:
                    if state_of(exc) == DOWN:
                        continue
                answers[name] = way
                break
        return answers


def _finding(candidate: Candidate, state: str, reason: str = "") -> Finding:
    return Finding(candidate.provider, candidate.model, state, reason, retires=candidate.retires)


def _question(provider: Provider, candidate: Candidate, embeds: bool) -> Exchange:
    body: dict[str, Any] = {"model": candidate.model}
    if embeds:
        question = Question(body | {"input": "ping"}, b"", {})
        return asks.embeddings(question).exchange(provider.kind, candidate, STAMP)
    body |= {"messages": [{"role": "user", "content": "ping"}], "stream": True}
    question = Question(body | {"max_tokens": TOKENS}, b"", {})
    return asks.chat(question).exchange(provider.kind, candidate, STAMP)
