"""Bitrix24 REST by an incoming webhook: a request in, the result or our error out.

Errors are told by the ``error`` string, never by the HTTP status, which the vendor's documents
and code give differently. Nothing is repeated here: a task retries what may be retried, and
looks before it repeats a write (`AnswerLost`).

Source:
    apidocs.bitrix24.com (github.com/bitrix24/b24restdocs), snapshot of 2026-08.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any

import httpx
import orjson

from lib.clients._closing import Closing
from lib.clients._http import USER_AGENT, translated, unanswered
from lib.clients.bitrix_batch import (
    BATCH_LENGTH,
    BatchAnswer,
    Command,
    Reference,
    batch_params,
    by_key,
    scalar,
)
from lib.clients.bitrix_errors import NotFound, error_from
from lib.errors import Denied, PotokError, Rejected, Unavailable

__all__ = [
    "BATCH_LENGTH",
    "BatchAnswer",
    "Bitrix",
    "Command",
    "EntityType",
    "Limiter",
    "NotFound",
    "Reference",
    "by_key",
]

Limiter = Callable[[], Awaitable[object]]
"""Awaited before every HTTP request; returns when the request may go."""

PAGE = 50
_WEBHOOK_URL = re.compile(r"(https?://[^/\s?#]+\S*?)/rest/(\d+)/([^/\s?#]+)/?")


class EntityType(IntEnum):
    """``entityTypeId`` of crm.item.*."""

    LEAD = 1
    CONTACT = 3
    COMPANY = 4


class Bitrix(Closing):
    """One portal. Open it with ``async with``, or close it with `aclose`.

    Args:
        webhook_url: ``https://portal/rest/1/code/``; the code is a secret.
        limiter: the portal's request limit, shared by everything on this host; None: no limit.
        timeout_s: for one request; the vendor itself stops at 60 s.
        proxy: URL of an HTTP proxy; the environment is not asked.

    Raises:
        Rejected: the address is not of a webhook.
    """

    def __init__(
        self,
        webhook_url: str,
        *,
        limiter: Limiter | None = None,
        timeout_s: float = 30.0,
        proxy: str | None = None,
    ) -> None:
        match = _WEBHOOK_URL.fullmatch(webhook_url.strip())
        if match is None:
            raise Rejected("the Bitrix24 webhook must look like https://portal/rest/1/code/")
        self._base = f"{match[1]}/rest/{match[2]}/{match[3]}/"
        self._secret = match[3]
        self._host = httpx.URL(self._base).host
        self._limiter = limiter
        self._reset_at: dict[str, float] = {}
        self._http = httpx.AsyncClient(
            # Reading the trust store takes up to 0.4 s, and plain http has no use for it.
            verify=self._base.startswith("https"),
            timeout=httpx.Timeout(timeout_s, connect=min(5.0, timeout_s)),
            limits=httpx.Limits(keepalive_expiry=20),
            headers={
                "user-agent": USER_AGENT,
                "accept": "application/json",
                "content-type": "application/json",
            },
            follow_redirects=False,
            trust_env=False,
            proxy=proxy,
        )

    def __repr__(self) -> str:
        return f"Bitrix({self._host!r})"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, write: bool
    ) -> Any:
        """Ask for one method.

        Args:
            method: ``crm.item.get`` and the like.
            params: nested dicts, lists and scalars.
            write: whether it may change something; then a lost answer is AnswerLost.

        Returns:
            ``result`` as it came: an empty object comes as ``[]``, see `by_key`.

        Raises:
            NotFound: there is no such record.
            Rejected: the portal refuses the parameters.
            Denied: the portal refuses the webhook, or has moved.
            RateLimited: a limit of the portal is hit; nothing was done.
            AnswerLost: a write may have happened.
            Unavailable: the portal failed, and nothing was done.
        """
        envelope = await self._envelope(method, params or {}, write=write)
        return envelope["result"]

    async def batch(
        self, commands: Sequence[Command], *, write: bool, halt: bool = False
    ) -> BatchAnswer:
        """Carry out up to 50 commands in one request, in their order.

        Args:
            commands: 1 to 50, each with a key of its own.
            write: whether any of them may change something.
            halt: stop at the first that fails.

        Returns:
            A result or an error for every key; empty objects come as ``[]``, see `by_key`.

        Raises:
            PotokError: the whole request failed, as in `call`.
        """
        envelope = await self._envelope("batch", batch_params(commands, halt=halt), write=write)
        answer = envelope["result"]
        if not isinstance(answer, dict):
            raise unanswered(f"Bitrix24 batch at {self._host}", "no batch in it", write=write)
        given = by_key(answer.get("result"))
        refused = by_key(answer.get("result_error"))
        times = by_key(answer.get("result_time"))
        results: dict[str, Any] = {}
        errors: dict[str, PotokError] = {}
        for command in commands:
            key, method = command.key, command.method
            self._learn_reset(method, times.get(key))
            if key in refused:
                errors[key] = self._error(method, by_key(refused[key]), write=write)
            elif key in given:
                results[key] = given[key]
            else:
                errors[key] = Unavailable(f"Bitrix24 {method}: not carried out")
        return BatchAnswer(results, errors, by_key(answer.get("result_total")))

    async def items(
        self,
        entity: EntityType,
        filter: Mapping[str, Any] | None = None,
        select: Sequence[str] = (),
    ) -> AsyncIterator[dict[str, Any]]:
        """Walk through crm.item.list by rising id, without counting: fast on any size.

        Args:
            entity: leads, contacts or companies.
            filter: conditions of crm.item.list; ``>id`` says where to begin.
            select: fields; empty: all of them, with ``fm``.

        Yields:
            Items, camelCase.

        Raises:
            PotokError: as in `call`.
        """
        conditions = {">id": 0, **(filter or {})}
        asked = {"entityTypeId": int(entity), "filter": conditions, "order": {"id": "ASC"}}
        wanted = {"select": ["id", *select]} if select else {}
        while True:
            params = {**asked, **wanted, "start": -1}
            result = await self.call("crm.item.list", params, write=False)
            page = list(by_key(by_key(result).get("items")).values())
            for item in page:
                yield item
            if len(page) < PAGE:
                return
            last_id = int(page[-1]["id"])
            if last_id <= int(conditions[">id"]):
                raise Unavailable("Bitrix24 crm.item.list: pages do not advance")
            conditions[">id"] = last_id

    async def _envelope(
        self, method: str, params: Mapping[str, Any], *, write: bool
    ) -> dict[str, Any]:
        what = f"Bitrix24 {method} at {self._host}"
        try:
            body = orjson.dumps(params, default=scalar)
        except TypeError as exc:
            raise Rejected(f"{what}: parameters cannot be written as JSON") from exc
        if self._limiter is not None:
            await self._limiter()
        with translated(what, write=write):
            response = await self._http.post(self._base + method, content=body)
        envelope = _envelope_from(response)
        if envelope is None:
            self._check_moved(response, what)
            raise unanswered(what, f"HTTP {response.status_code}, not JSON", write=write)
        self._learn_reset(method, envelope.get("time"))
        if "error" in envelope:
            raise self._error(method, envelope, write=write)
        if "result" not in envelope:
            raise unanswered(what, "neither result nor error", write=write)
        return envelope

    def _check_moved(self, response: httpx.Response, what: str) -> None:
        there = response.next_request
        if there is not None and there.url.host != self._host:
            raise Denied(f"{what}: the portal has moved to {there.url.host}")

    def _learn_reset(self, method: str, spent: object) -> None:
        if not isinstance(spent, dict) or not spent.get("operating_reset_at"):
            return
        # By the portal's own clock: ours may differ.
        left_s = float(spent["operating_reset_at"]) - float(spent.get("finish") or time.time())
        self._reset_at[method] = time.monotonic() + left_s

    def _error(self, method: str, refusal: Mapping[str, Any], *, write: bool) -> PotokError:
        reset_at = self._reset_at.get(method)
        return error_from(
            method,
            str(refusal.get("error") or ""),
            str(refusal.get("error_description") or "").replace(self._secret, "…"),
            write=write,
            blocked_s=None if reset_at is None else reset_at - time.monotonic(),
        )


def _envelope_from(response: httpx.Response) -> dict[str, Any] | None:
    try:
        envelope = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None
    return envelope if isinstance(envelope, dict) else None
