"""A talk with a model by each vendor's own SDK: what is said, and which tools are called."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anthropic
import ollama
import openai

from tests.gateway.llm.open_house import Open

MANY = "repeat 50"
WEATHER = "Какая погода? Use the tool."
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "weather", "description": "погода", "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}


@dataclass
class Said:
    """What came back: words, and calls of tools with their arguments."""

    text: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


Talk = Callable[[Open, str, str, bool, bool], Awaitable[Said]]


@asynccontextmanager
async def by_openai(door: Open) -> AsyncIterator[openai.AsyncOpenAI]:
    url = f"{door.url}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key=door.key, max_retries=0) as client:
        yield client


@asynccontextmanager
async def by_anthropic(door: Open) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        base_url=door.url, api_key=door.key, max_retries=0
    ) as client:
        yield client


@asynccontextmanager
async def by_ollama(door: Open) -> AsyncIterator[ollama.AsyncClient]:
    headers = {"authorization": f"Bearer {door.key}"}
    client = ollama.AsyncClient(door.url, headers=headers, trust_env=False)
    yield client
    await client._client.aclose()


async def chat(door: Open, model: str, words: str, stream: bool, tools: bool) -> Said:
    given: dict[str, Any] = {"tools": [TOOL]} if tools else {}
    asked = [{"role": "user", "content": words}]
    said, parts = Said(), dict[int, list[str]]()
    async with by_openai(door) as client:
        if not stream:
            answer = await client.chat.completions.create(model=model, messages=asked, **given)
            message = answer.choices[0].message
            calls = [call.function for call in message.tool_calls or []]
            return Said(message.content or "", [(c.name, json.loads(c.arguments)) for c in calls])
        names = dict[int, str]()
        async for chunk in await client.chat.completions.create(
            model=model, messages=asked, stream=True, **given
        ):
            for choice in chunk.choices:
                said.text += choice.delta.content or ""
                for call in choice.delta.tool_calls or []:
                    if call.function.name:
                        names[call.index] = call.function.name
                    parts.setdefault(call.index, []).append(call.function.arguments or "")
    said.calls = [(names[index], json.loads("".join(part))) for index, part in parts.items()]
    return said


async def responses(door: Open, model: str, words: str, stream: bool, tools: bool) -> Said:
    given: dict[str, Any] = {"tools": [{"type": "function", **FUNCTION}]} if tools else {}
    async with by_openai(door) as client:
        if stream:
            async with client.responses.stream(model=model, input=words, **given) as events:
                async for _ in events:
                    pass
                answer = await events.get_final_response()
        else:
            answer = await client.responses.create(model=model, input=words, **given)
    calls = [item for item in answer.output if item.type == "function_call"]
    return Said(answer.output_text, [(call.name, json.loads(call.arguments)) for call in calls])


async def messages(door: Open, model: str, words: str, stream: bool, tools: bool) -> Said:
    tool = {"name": "weather", "description": "погода", "input_schema": SCHEMA}
    given: dict[str, Any] = {"tools": [tool]} if tools else {}
    given |= {"model": model, "max_tokens": 2000}
    given["messages"] = [{"role": "user", "content": words}]
    async with by_anthropic(door) as client:
        if stream:
            async with client.messages.stream(**given) as events:
                answer = await events.get_final_message()
        else:
            answer = await client.messages.create(**given)
    text = "".join(block.text for block in answer.content if block.type == "text")
    calls = [block for block in answer.content if block.type == "tool_use"]
    return Said(text, [(call.name, call.input) for call in calls])


async def ollama_chat(door: Open, model: str, words: str, stream: bool, tools: bool) -> Said:
    said = Said()
    async with by_ollama(door) as client:
        given: dict[str, Any] = {"tools": [TOOL]} if tools else {}
        given |= {"model": model, "messages": [{"role": "user", "content": words}]}
        answers = (
            [await client.chat(**given)]
            if not stream
            else [part async for part in await client.chat(**given, stream=True)]
        )
    for answer in answers:
        said.text += answer.message.content or ""
        for call in answer.message.tool_calls or []:
            said.calls.append((call.function.name, dict(call.function.arguments)))
    return said


async def ollama_generate(door: Open, model: str, words: str, stream: bool, tools: bool) -> Said:
    async with by_ollama(door) as client:
        if not stream:
            return Said((await client.generate(model, words)).response)
        parts = [part.response async for part in await client.generate(model, words, stream=True)]
    return Said("".join(parts))


async def completions(door: Open, model: str, words: str, stream: bool, tools: bool) -> Said:
    async with by_openai(door) as client:
        if not stream:
            answer = await client.completions.create(model=model, prompt=words, max_tokens=900)
            return Said(answer.choices[0].text)
        parts = await client.completions.create(
            model=model, prompt=words, stream=True, max_tokens=900
        )
        return Said("".join([c.choices[0].text async for c in parts if c.choices]))


TALKS: dict[str, Talk] = {
    "`/v1/chat/completions`": chat,
    "`/v1/responses`": responses,
    "`/v1/messages`": messages,
    "`/api/chat`": ollama_chat,
    "`/api/generate`": ollama_generate,
    "`/v1/completions`": completions,
}
