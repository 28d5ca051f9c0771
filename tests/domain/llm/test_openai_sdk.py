"""openai's own SDK, unchanged, over HTTP: what it makes of our answers, streams and errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lib.domain.llm.dialects import ClientDialect
from lib.domain.llm.openai_client import OpenAiClient
from lib.domain.llm.responses_client import ResponsesClient, is_responses_shaped
from lib.errors import Rejected
from tests.sandbox_server import running

from .openai_making import CALL, STAMP, TOOL, USAGE, answer, call_delta, chunk
from .test_responses_request import FLAT

ANSWER = answer("tool_calls", content="hi", reasoning_content="hm", tool_calls=[CALL])
TOLD = [
    chunk(role="assistant", content=""),
    chunk(reasoning_content="hm"),
    chunk(content="h"),
    chunk(content="i"),
    call_delta(0, "", id="call_1", type="function", name="weather"),
    call_delta(0, "{}"),
    chunk("tool_calls"),
    chunk() | {"choices": [], "usage": USAGE},
]
HELLO: Any = [{"role": "user", "content": "hello"}]


async def answered(request: Request) -> Response:
    """A door with one answer; the model ``broken`` breaks off in the middle."""
    body = await request.json()
    dialect: ClientDialect = OpenAiClient()
    if request.url.path.endswith("/responses"):
        dialect = ResponsesClient()
    try:
        chat = (ResponsesClient() if is_responses_shaped(body) else dialect).chat_from(body)
    except Rejected as exc:
        return JSONResponse(dialect.error_from(400, "", str(exc)), 400)
    if not chat.get("stream"):
        return JSONResponse(dialect.answer_from(ANSWER, body, STAMP))
    encoder = dialect.encoder(body, STAMP)

    async def told() -> AsyncIterator[bytes]:
        broken = chat["model"] == "broken"
        for one in TOLD[: 4 if broken else None]:
            yield encoder.feed(one)
        yield encoder.fail(502, "gone") if broken else encoder.end()

    return StreamingResponse(told(), media_type=dialect.media_type)


@pytest.fixture
async def client() -> AsyncIterator[openai.AsyncOpenAI]:
    paths = ("/v1/chat/completions", "/v1/responses")
    app = Starlette(routes=[Route(path, answered, methods=["POST"]) for path in paths])
    async with (
        running(app) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as sdk,
    ):
        yield sdk


async def test_a_chat_is_answered(client: openai.AsyncOpenAI) -> None:
    made = await client.chat.completions.create(model="m", messages=HELLO)
    assert made.choices[0].message.content == "hi"
    assert made.choices[0].message.tool_calls is not None


@pytest.mark.parametrize("asks", [True, False])
async def test_a_chat_is_streamed(client: openai.AsyncOpenAI, asks: bool) -> None:
    async with client.chat.completions.stream(
        model="m", messages=HELLO, tools=[TOOL], stream_options={"include_usage": asks}
    ) as stream:
        made = await stream.get_final_completion()
    assert made.choices[0].message.content == "hi"
    assert made.choices[0].message.tool_calls is not None
    assert made.choices[0].message.tool_calls[0].function.arguments == "{}"
    assert (made.usage is not None) is asks


async def test_a_broken_chat_stream_raises(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="broken", messages=HELLO, stream=True)
    with pytest.raises(openai.APIError, match="gone"):
        [one async for one in stream]


async def test_a_response_is_given(client: openai.AsyncOpenAI) -> None:
    made = await client.responses.create(model="m", input="hello", tools=[FLAT])
    assert made.output_text == "hi"
    assert [item.type for item in made.output] == ["reasoning", "message", "function_call"]


async def test_a_response_is_streamed(client: openai.AsyncOpenAI) -> None:
    async with client.responses.stream(model="m", input="hello", tools=[FLAT]) as stream:
        deltas = [one.delta async for one in stream if one.type == "response.output_text.delta"]
        made = await stream.get_final_response()
    assert deltas == ["h", "i"]
    assert made.output_text == "hi"
    assert made.output[2].type == "function_call"
    assert made.usage is not None
    assert made.usage.output_tokens == USAGE["completion_tokens"]


async def test_a_broken_response_stream_raises(client: openai.AsyncOpenAI) -> None:
    async with client.responses.stream(model="broken", input="hello") as stream:
        with pytest.raises(openai.APIError, match="gone"):
            await stream.get_final_response()


async def test_a_responses_body_posted_to_chat_gets_a_chat_answer(
    client: openai.AsyncOpenAI,
) -> None:
    asked = {"model": "m", "input": HELLO, "tools": [FLAT], "stream": True}
    async with client.chat.completions.with_streaming_response.create(
        model="m", messages=[], extra_body=asked
    ) as response:
        raw = await response.read()
    assert raw.startswith(b'data: {"id":"gen-1","object":"chat.completion.chunk"')
    assert raw.endswith(b"data: [DONE]\n\n")


async def test_a_refusal_tells_the_parameter(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="nothing is kept here") as refusal:
        await client.responses.create(model="m", input="hello", previous_response_id="resp_1")
    assert refusal.value.param == "previous_response_id"
    assert refusal.value.type == "invalid_request_error"
