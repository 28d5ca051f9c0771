"""A language model behind any OpenAI-compatible server, asked for one JSON object.

Source: openai 3.54.0 (raises its own errors over httpx2), openrouter.ai/docs (an error may come
with status 200), read 2026-11-22.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, cast

import openai
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
from openai.types.shared_params import ResponseFormatJSONSchema

from lib.errors import Denied, PotokError, RateLimited, Rejected, Unavailable

_PAUSE_S = 5.0
_THOUGHTS = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"^\s*```[a-zA-Z]*\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)


class Llm:
    """One model of one provider.

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
        self._base_url = base_url
        self._model = model
        self._timeout_s = timeout_s
        self._temperature = openai.omit if temperature is None else temperature
        self._client = openai.AsyncOpenAI(
            api_key=api_key, base_url=base_url, timeout=timeout_s, max_retries=0
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
        await self._client.close()

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
        form: ResponseFormatJSONSchema = {
            "type": "json_schema",
            "json_schema": {"name": schema_name, "schema": schema, "strict": True},
        }
        found = object_in(_content_of(await self._ask(messages, form)))
        if missing := [key for key in schema.get("required", ()) if key not in found]:
            raise Unavailable(f"llm: the answer lacks {', '.join(missing)}")
        return found

    async def _ask(
        self, messages: Sequence[Mapping[str, Any]], form: ResponseFormatJSONSchema
    ) -> object:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._client.chat.completions.create(
                    model=self._model,
                    messages=cast("list[ChatCompletionMessageParam]", list(messages)),
                    response_format=form,
                    temperature=self._temperature,
                )
        except openai.APITimeoutError as exc:
            raise Unavailable("llm: no answer in time") from exc
        except openai.APIConnectionError as exc:
            raise Unavailable("llm: cannot be reached, or hung up") from exc
        except openai.APIStatusError as exc:
            wait_s = _seconds(exc.response.headers.get("Retry-After"))
            raise _refusal(exc.status_code, wait_s, _said(exc.body)) from exc
        except (openai.OpenAIError, ValueError) as exc:
            raise Unavailable("llm: the answer cannot be read") from exc
        except TimeoutError as exc:
            raise Unavailable("llm: no answer in time") from exc


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
    if not isinstance(answer, ChatCompletion):
        raise Unavailable("llm: the answer is no chat completion")
    error = (answer.model_extra or {}).get("error")
    if error:
        code = error.get("code") if isinstance(error, dict) else None
        raise _refusal(code if isinstance(code, int) else 500, None, _said(error))
    if not answer.choices:
        raise Unavailable("llm: the answer has no choices")
    choice = answer.choices[0]
    if choice.finish_reason != "stop":
        raise Unavailable(f"llm: the answer broke off ({choice.finish_reason})")
    if not choice.message.content:
        raise Unavailable("llm: the answer is empty")
    return choice.message.content


def _refusal(status: int, retry_after_s: float | None, said: str) -> PotokError:
    """Our error for an HTTP status, or for the code of an error inside a 200."""
    if status in {401, 402, 403}:
        return Denied(f"llm: refused with {status}: wrong key, no rights or no credits")
    if status in {400, 404, 413, 422}:
        return Rejected(f"llm: refused with {status}: {said}")
    if status == 429:
        wait_s = _PAUSE_S if retry_after_s is None else retry_after_s
        return RateLimited("llm: too many requests", wait_s)
    if retry_after_s is not None:
        return RateLimited(f"llm: failed with {status}", retry_after_s)
    return Unavailable(f"llm: failed with {status}")


def _said(error: object) -> str:
    """The provider's own words, cut short; the SDK gives the inner ``error`` object."""
    message = error.get("message") if isinstance(error, dict) else None
    return str(message or "no reason given")[:200]


def _seconds(header: str | None) -> float | None:
    """A Retry-After in seconds; None when absent or a date."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86_400 else None
