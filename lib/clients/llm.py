"""A language model behind any OpenAI-compatible server, asked for one JSON object.

aiohttp, not the openai SDK: a call takes 0.3 ms of CPU in place of 2–5 ms, and a burst of messages
is as many calls.

Source: platform.openai.com/docs/api-reference/chat, openrouter.ai/docs (an error may come with
status 200), read 2026-11-22.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from lib.clients._http import USER_AGENT
from lib.errors import Denied, PotokError, RateLimited, Rejected, Unavailable

ANSWER_LIMIT_BYTES = 1_000_000
CONNECT_TIMEOUT_S = 5.0

_PAUSE_S = 5.0
_THOUGHTS = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"^\s*```[a-zA-Z]*\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)


class Llm:
    """One model of one provider. Made inside a running event loop, whose connections it keeps.

    Args:
        base_url: as OpenAI clients take it, ending in ``/v1``.
        api_key: any non-empty text for a local server.
        model: the provider's name of the model.
        timeout_s: deadline of one call, from the first byte sent to the last one read.
        temperature: 0 for the same answer to the same question; None leaves it out, for models
            that refuse it.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        model: str,
        timeout_s: float = 15.0,
        *,
        temperature: float | None = 0.0,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._model = model
        self._timeout_s = timeout_s
        self._temperature = {} if temperature is None else {"temperature": temperature}
        self._session = aiohttp.ClientSession(
            headers={
                "authorization": f"Bearer {api_key}",
                "content-type": "application/json",
                "user-agent": USER_AGENT,
            },
            timeout=aiohttp.ClientTimeout(timeout_s, sock_connect=CONNECT_TIMEOUT_S),
        )

    def __repr__(self) -> str:
        return f"Llm(base_url={self._base_url!r}, model={self._model!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def complete_json(
        self, messages: Sequence[Mapping[str, Any]], schema_name: str, schema: dict[str, Any]
    ) -> dict[str, Any]:
        """One JSON object that has the schema's required keys.

        Args:
            messages: OpenAI chat messages.
            schema_name: ``A-Za-z0-9_-``, up to 64.
            schema: JSON schema in strict form: every property required, none additional.

        Raises:
            Rejected: the request is refused as malformed, or the model does not exist.
            Denied: wrong key, no rights, no credits.
            RateLimited: too many requests, with the pause asked for.
            Unavailable: no answer in time, a failing server, or an answer that is no such object.
        """
        asked = {
            "model": self._model,
            "messages": messages,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": schema_name, "schema": schema, "strict": True},
            },
            **self._temperature,
        }
        found = object_in(_content_of(await self._ask(asked)))
        if missing := [key for key in schema.get("required", ()) if key not in found]:
            raise Unavailable(f"llm: the answer lacks {', '.join(missing)}")
        return found

    async def _ask(self, asked: Mapping[str, Any]) -> object:
        url = f"{self._base_url}/chat/completions"
        try:
            async with self._session.post(
                url, data=orjson.dumps(asked), allow_redirects=False
            ) as response:
                raw = await _read(response)
        except TimeoutError as exc:
            raise Unavailable("llm: no answer in time") from exc
        except aiohttp.InvalidURL as exc:
            raise Rejected("llm: the address is not one of HTTP") from exc
        except aiohttp.ClientError as exc:
            raise Unavailable("llm: cannot be reached, or hung up") from exc
        try:
            answer = orjson.loads(raw)
        except orjson.JSONDecodeError as exc:
            if response.status < 300:
                raise Unavailable("llm: the answer cannot be read") from exc
            answer = None
        if response.status >= 300:
            error = answer.get("error") if isinstance(answer, dict) else None
            wait_s = _seconds(response.headers.get("Retry-After"))
            raise _refusal(response.status, wait_s, _said(error))
        return answer


async def _read(response: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for chunk in response.content.iter_any():
        raw += chunk
        if len(raw) > ANSWER_LIMIT_BYTES:
            raise Unavailable(f"llm: the answer is above {ANSWER_LIMIT_BYTES} bytes")
    return bytes(raw)


def object_in(content: str) -> dict[str, Any]:
    """The JSON object that a model wrote, bare or in a Markdown fence, after its thoughts or not.

    Raises:
        Unavailable: there is none.
    """
    bare = _THOUGHTS.sub("", content)
    fenced = _FENCE.match(bare)
    try:
        found = json.loads(fenced[1] if fenced else bare)
    except (ValueError, RecursionError) as exc:
        raise Unavailable("llm: the answer is not JSON") from exc
    if not isinstance(found, dict):
        raise Unavailable(f"llm: the answer is a JSON {type(found).__name__}, not an object")
    return found


def _content_of(answer: object) -> str:
    if not isinstance(answer, dict):
        raise Unavailable("llm: the answer is no chat completion")
    if error := answer.get("error"):
        code = error.get("code") if isinstance(error, dict) else None
        raise _refusal(code if isinstance(code, int) else 500, None, _said(error))
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Unavailable("llm: the answer has no choices")
    if (reason := choices[0].get("finish_reason")) != "stop":
        raise Unavailable(f"llm: the answer broke off ({str(reason)[:40]})")
    message = choices[0].get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, str) or not content:
        raise Unavailable("llm: the answer is empty")
    return content


def _refusal(status: int, retry_after_s: float | None, said: str) -> PotokError:
    """Our error for an HTTP status, or for the code of an error inside a 200."""
    if status in {401, 402, 403}:
        return Denied(f"llm: refused with {status}: wrong key, no rights or no credits")
    if status == 404:
        return Rejected(f"llm: refused with 404: {said}")
    if status == 413:
        return Rejected("llm: refused with 413: the message is too long for it")
    if status in {400, 422}:  # its words may quote the prompt, and so the message
        return Rejected(f"llm: refused with {status}: check LLM_MODEL, it must know JSON schemas")
    if status == 429:
        wait_s = _PAUSE_S if retry_after_s is None else retry_after_s
        return RateLimited("llm: too many requests", wait_s)
    if retry_after_s is not None:
        return RateLimited(f"llm: failed with {status}", retry_after_s)
    return Unavailable(f"llm: failed with {status}")


def _said(error: object) -> str:
    """The provider's own words, cut short."""
    message = error.get("message") if isinstance(error, dict) else None
    return str(message or "no reason given")[:200]


def _seconds(header: str | None) -> float | None:
    """A Retry-After in seconds; None when absent or a date."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86_400 else None
