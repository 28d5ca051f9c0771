"""Calls of the sandbox's control surface: what a person does to it, over real HTTP."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Self

import httpx

from deployments.cli.running import Running, check_sandbox
from deployments.stack import sandbox_access
from lib.errors import Rejected, Unavailable

VENDORS = ("telegram", "bitrix", "llm", "ollama", "openrouter", "groq", "anthropic", "paddle")
TIMEOUT_S = 10.0
NOT_RUNNING = "the sandbox does not run: `potok up --sandbox` starts it"


class SandboxCalls:
    """The control surface of a running sandbox.

    Args:
        running: what runs now.

    Raises:
        Rejected: the stack that runs talks to real vendors.
    """

    def __init__(self, running: Running) -> None:
        check_sandbox(running)
        self._settings = running.settings
        self._http = httpx.AsyncClient(
            base_url=self._settings.sandbox_url, timeout=TIMEOUT_S, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def say(self, said: dict[str, Any]) -> str:
        """Write to the bot as a person.

        Args:
            said: the fields of the sandbox's ``Said``.

        Returns:
            The key that the delivery will have in the inbox.

        Raises:
            Rejected: the sandbox refuses it.
            Unavailable: the sandbox does not run.
        """
        await self.ensure_webhook()
        spoken = await self.ask("POST", "telegram/say", said | {"token": sandbox_access.BOT_TOKEN})
        return f"telegram:{self._settings.telegram_bot_name}:{spoken['update_id']}"

    async def ensure_webhook(self) -> None:
        """Point the sandbox's bot at our gateway: its memory ends with its process."""
        url = f"{self._settings.gateway_url}/hooks/telegram/{self._settings.telegram_bot_name}"
        hook = {"url": url, "secret_token": sandbox_access.WEBHOOK_SECRET}
        await self._request("POST", f"/telegram/bot{sandbox_access.BOT_TOKEN}/setWebhook", hook)

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the control surface.

        Args:
            method: of HTTP.
            path: below ``/control/``.
            body: as JSON.

        Raises:
            Rejected: it refuses, in its own words.
            Unavailable: the sandbox does not run.
        """
        return await self._request(method, f"/control/{path}", body)

    async def _request(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        content = None if body is None else _json(body)
        headers = {"content-type": "application/json"}
        try:
            response = await self._http.request(method, path, content=content, headers=headers)
            answer = response.json()
        except (httpx.TransportError, ValueError):
            raise Unavailable(NOT_RUNNING) from None
        if response.is_success:
            return answer
        words = answer.get("error") or answer.get("description") if isinstance(answer, dict) else ""
        raise Rejected(
            f"the sandbox refuses: {' '.join(str(words or response.status_code).split())}"
        )


def _json(body: dict[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise Rejected("this text has bytes that are no UTF-8: it cannot be sent") from None
    except ValueError:
        raise Rejected("NaN and Infinity are no numbers that can be sent") from None
