"""A language model behind any OpenAI-compatible server, asked for one JSON object.

Source: platform.openai.com/docs/api-reference/chat, openrouter.ai/docs (an error may come with
status 200), read 2026-11-22.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from lib.clients._closing import Closing
from lib.clients.providers import Providers, json_from, read
from lib.clients.ways import Ways
from lib.domain.llm.refusals import refusal_from, status_in
from lib.domain.llm.table import Provider
from lib.errors import Denied, RateLimited, Rejected, Unavailable

ANSWER_LIMIT_BYTES = 1_000_000

_THOUGHTS = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"^\s*```[a-zA-Z]*\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)


class Llm(Closing):
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
        self._provider = Provider(kind="openai", base_url=base_url)
        self._key = api_key
        self._model = model
        self._timeout_s = timeout_s
        self._temperature = {} if temperature is None else {"temperature": temperature}
        self._ways = Ways()

    def __repr__(self) -> str:
        return f"Llm(base_url={self._provider.base_url!r}, model={self._model!r})"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._ways.close()

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
        """The answer to a chat completion; an error tells no words of the provider's.

        They may quote the message.
        """
        providers = Providers(self._ways, quotes=False)
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                providers.asked(
                    self._provider, self._key, "/chat/completions", orjson.dumps(asked)
                ) as response,
            ):
                return json_from(await read(response, ANSWER_LIMIT_BYTES))
        except TimeoutError as exc:
            raise Unavailable("llm: no answer in time") from exc
        except RateLimited as exc:
            raise RateLimited(f"llm: {exc}", exc.retry_after_s) from exc
        except Denied as exc:
            raise Denied(f"llm: {exc}: wrong key, no rights or no credits") from exc
        except Rejected as exc:
            raise Rejected(f"llm: {exc}: check LLM_MODEL, it must know JSON schemas") from exc
        except Unavailable as exc:
            raise Unavailable(f"llm: {exc}") from exc


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
        raise refusal_from(status_in(error), "")
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
