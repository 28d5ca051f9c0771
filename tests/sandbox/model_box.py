"""What tests of the stand-ins for model vendors share: the door to one, and questions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

ASKED = "Какая погода в Туле?"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
FUNCTION = {
    "type": "function",
    "function": {"name": "forecast", "description": "Прогноз", "parameters": SCHEMA},
}
# The least picture there is: one pixel.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


@dataclass
class ModelBox:
    """One vendor of the sandbox."""

    http: httpx.AsyncClient
    name: str

    @property
    def url(self) -> str:
        return f"{str(self.http.base_url).rstrip('/')}/{self.name}"

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.http.request(method, f"/control/{self.name}/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def fail(self, kind: str, **more: Any) -> None:
        """The next call of a model fails."""
        await self.control("POST", "failures", {"kind": kind, "times": 1} | more)

    async def state(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.control("GET", "state")
        return found

    async def journal(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.control("GET", "journal")
        return found


@asynccontextmanager
async def box_of(http: httpx.AsyncClient, name: str) -> AsyncIterator[ModelBox]:
    """A vendor as at its start, before and after."""
    box = ModelBox(http, name)
    yield box
    await box.control("POST", "reset")


def says(text: Any) -> list[dict[str, Any]]:
    """The messages of a conversation that has just begun."""
    return [{"role": "user", "content": text}]
