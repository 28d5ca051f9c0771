"""The stand-ins for model vendors: what they have in common, over plain HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.sandbox.model_talk import Asked, Tool, answer_to, cut
from deployments.sandbox.model_vectors import vector_of
from tests.sandbox.model_box import FUNCTION, ModelBox, box_of, says
from tests.sandbox.telegram_box import Sandbox, until

KEY = {"authorization": "Bearer secret-1", "x-api-key": "secret-2"}
VERSION = {"anthropic-version": "2023-06-01"}
PATHS = {
    "ollama": ("/api/chat", "llama3.1:8b"),
    "openrouter": ("/api/v1/chat/completions", "deepseek/deepseek-v3.2"),
    "groq": ("/openai/v1/chat/completions", "llama-3.1-8b-instant"),
    "anthropic": ("/v1/messages", "claude-opus-4-6"),
}
OTHERS = {
    "ollama": ("/api/generate", "/api/embed", "/api/show"),
    "openrouter": ("/api/v1/embeddings",),
    "anthropic": ("/v1/messages/count_tokens",),
}
BROKEN = {
    "ollama": b'{"error":"an error was encountered',
    "openrouter": b'"finish_reason":"error"',
    "groq": b"event: error\ndata: ",
    "anthropic": b"event: error\ndata: ",
}


@pytest.fixture(params=list(PATHS))
async def box(request: pytest.FixtureRequest, served: Sandbox) -> AsyncIterator[ModelBox]:
    async with box_of(served.http, request.param) as box:
        yield box


def question(box: ModelBox, text: str, stream: bool = True, **more: Any) -> dict[str, Any]:
    limit = {"max_tokens": 4000} if box.name == "anthropic" else {}
    asked = {"model": PATHS[box.name][1], "messages": says(text), "stream": stream}
    return asked | limit | more


def address(box: ModelBox) -> str:
    return box.url + PATHS[box.name][0]


async def ask(box: ModelBox, text: str = "привет", stream: bool = True) -> httpx.Response:
    body = question(box, text, stream)
    return await box.http.post(address(box), json=body, headers=KEY | VERSION)


async def test_what_arrived_can_be_read_but_for_the_keys(box: ModelBox) -> None:
    sent = json.dumps(question(box, "при\u0301вет"), ensure_ascii=False, indent=1).encode()
    headers = KEY | VERSION | {"anthropic-beta": "one,two"}
    answer = await box.http.post(f"{address(box)}?beta=true", content=sent, headers=headers)
    assert answer.status_code == 200
    [entry] = await box.journal()
    assert entry["body"].encode() == sent
    assert (entry["method"], entry["path"]) == ("POST", PATHS[box.name][0])
    assert entry["query"] == "beta=true"
    assert entry["headers"]["anthropic-beta"] == "one,two"
    assert entry["headers"]["authorization"] == "Bearer ***"
    assert "secret" not in json.dumps(entry)
    await box.http.post(f"{box.url}/nowhere", content=b"\xff{")
    assert [e["path"] for e in await box.journal()][1:] == ["/nowhere"]


@pytest.mark.parametrize("key", ["", "wrong-one"])
async def test_a_key_is_needed_where_the_vendor_needs_one(box: ModelBox, key: str) -> None:
    headers = {"authorization": f"Bearer {key}".strip()} | VERSION
    answer = await box.http.post(address(box), json=question(box, "x"), headers=headers)
    assert answer.status_code == (200 if box.name == "ollama" else 401)


@pytest.mark.parametrize("stream", [True, False])
async def test_failures_that_come_instead_of_an_answer(box: ModelBox, stream: bool) -> None:
    await box.fail("status", status=529, retry_after_s=7)
    answer = await ask(box, stream=stream)
    assert (answer.status_code, answer.headers["retry-after"]) == (529, "7")
    assert answer.json()["error"]
    await box.fail("not_found")
    assert (await ask(box, stream=stream)).status_code == 404
    await box.fail("html")
    answer = await ask(box, stream=stream)
    assert (answer.status_code, answer.text[:6]) == (200, "<html>")
    if box.name != "ollama":
        await box.fail("blocked")
        assert (await ask(box, stream=stream)).status_code == 403
    await box.fail("empty")
    answer = await ask(box, stream=stream)
    assert answer.status_code == 200
    assert "Вы" not in answer.text
    assert "Вы" in (await ask(box, stream=stream)).text
    counts = (await box.state())["counts"]
    assert [counts[kind] for kind in ("status", "not_found", "html", "empty")] == [1] * 4


async def test_failures_in_the_middle_of_a_stream(box: ModelBox) -> None:
    whole = (await ask(box)).content
    await box.fail("error_midstream", after_chunks=3)
    broken = (await ask(box)).content
    assert BROKEN[box.name] in broken
    assert 0 < broken.index(BROKEN[box.name]) < len(whole)
    await box.fail("garbage_midstream", after_chunks=3)
    spoiled = (await ask(box)).content
    assert b"{it is no JSON\n" in spoiled
    assert spoiled[-20:] == whole[-20:]
    await box.fail("cut", after_chunks=3)
    with pytest.raises(httpx.RemoteProtocolError):
        await ask(box)
    await box.fail("cut", after_chunks=3000)
    with pytest.raises(httpx.RemoteProtocolError):
        await ask(box)


async def test_a_whole_answer_breaks_too(box: ModelBox) -> None:
    await box.fail("cut")
    with pytest.raises(httpx.RemoteProtocolError):
        await ask(box, stream=False)
    await box.fail("garbage_midstream")
    with pytest.raises(json.JSONDecodeError):
        (await ask(box, stream=False)).json()
    await box.fail("error_midstream")
    answer = await ask(box, stream=False)
    assert answer.status_code == (200 if box.name == "openrouter" else 500)
    assert answer.json()["error"]


@pytest.mark.parametrize("kind", ["hang", "hang_midstream", "slow", "slow_first_token"])
async def test_a_caller_who_leaves_is_counted(box: ModelBox, kind: str) -> None:
    await box.fail(kind, **({"delay_s": 60} if "slow" in kind else {}))
    came: list[int] = []

    async def listen() -> None:
        body = question(box, "repeat 50")
        async with box.http.stream("POST", address(box), json=body, headers=KEY | VERSION) as told:
            came.append(told.status_code)
            async for _ in told.aiter_bytes():
                came.append(0)

    listening = asyncio.create_task(listen())

    async def is_there() -> bool:
        has_come = {"hang": 0, "slow": 0, "slow_first_token": 1, "hang_midstream": 3}[kind]
        return len(came) >= min(has_come, 2) and (await box.state())["at_once"] == 1

    async def is_gone() -> bool:
        state = await box.state()
        return bool(state["counts"].get("cancelled") == 1 and state["at_once"] == 0)

    await until(is_there)
    listening.cancel()
    await until(is_gone)
    assert (await ask(box)).status_code == 200
    assert (await box.state())["counts"]["answered"] == 1


async def test_a_failure_strikes_a_model_or_a_method(box: ModelBox) -> None:
    await box.fail("status", model="another")
    assert (await ask(box)).status_code == 200
    await box.fail("status", model=PATHS[box.name][1])
    assert (await ask(box)).status_code == 500
    listing = {"ollama": "/api/tags", "openrouter": "/api/v1/models", "groq": "/openai/v1/models"}
    path = box.url + listing.get(box.name, "/v1/models")
    await box.fail("status")
    assert (await box.http.get(path, headers=KEY | VERSION)).status_code == 200
    await box.fail("status", method=path.rpartition("/")[2])
    assert (await box.http.get(path, headers=KEY | VERSION)).status_code == 500
    assert len((await box.state())["failures"]) == 2


async def test_a_long_answer_comes_whole(box: ModelBox) -> None:
    answer = await ask(box, "repeat 500")
    assert [f"слово-{n} " in answer.text for n in (1, 250, 500, 501)] == [True, True, True, False]
    assert answer.text.count("слово-") == 500


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "function", "name", "text", "properties"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
FIELDS = (
    "model messages max_tokens tools tool_choice stream response_format format options think input "
    "prompt suffix raw images reasoning thinking system stop stop_sequences output_config models"
)


@given(
    st.sampled_from(list(PATHS)),
    st.dictionaries(st.sampled_from(FIELDS.split()), JSON, max_size=3),
    st.lists(st.dictionaries(st.sampled_from(["role", "content", "tool_calls"]), JSON), max_size=2),
    st.booleans(),
)
async def test_any_request_is_answered_or_refused(
    served: Sandbox, name: str, fields: dict[str, Any], messages: list[Any], has_tools: bool
) -> None:
    box = ModelBox(served.http, name)
    body = question(box, "tool") | ({"tools": [FUNCTION]} if has_tools else {}) | fields
    if messages and "messages" not in fields:
        body["messages"] = [*messages, *body["messages"]]
    for path in (PATHS[name][0], *OTHERS.get(name, ())):
        answer = await box.http.post(box.url + path, json=body, headers=KEY | VERSION)
        assert answer.status_code in {200, 400, 404, 501}, answer.text
        assert answer.status_code == 200 or answer.json()["error"]


@given(st.text(), st.integers(1, 50), st.booleans())
def test_any_text_is_answered_within_its_limit(text: str, limit: int, thinks: bool) -> None:
    asked = Asked(text, thinks=thinks, max_tokens=limit)
    said = answer_to(asked)
    assert said == answer_to(asked)
    assert len(said.thought + said.text) <= 4 * limit
    free = answer_to(Asked(text, thinks=thinks))
    assert (free.thought + free.text).startswith(said.thought + said.text)
    assert said.is_cut_short == (said.thought + said.text != free.thought + free.text)
    assert bool(free.thoughts) == thinks


@given(st.text(min_size=5))
def test_a_text_is_cut_into_five_pieces_and_more(text: str) -> None:
    assert "".join(cut(text)) == text
    assert 5 <= len(cut(text)) <= 128


def test_tools_are_called_when_somebody_says_so() -> None:
    tools = (Tool("one", {}), Tool("two", {"properties": {"q": {"type": "string"}}}))

    def called(text: str, **more: Any) -> list[str]:
        return [use.name for use in answer_to(Asked(text, tools=tools, **more)).uses]

    assert called("привет") == []
    assert called("какая погода?") == ["one"]
    assert called("use two tools") == ["one", "two"]
    assert called("use two tools", is_parallel=False) == ["one"]
    assert called("use a tool", choice="none") == []
    assert called("привет", choice="two") == ["two"]
    assert called("привет", choice="any") == ["one"]
    assert called("use a tool", tool_answer="да") == []


def test_vectors_have_length_one() -> None:
    one, other = vector_of("один"), vector_of("другой")
    assert len(one) == 768
    assert sum(x * x for x in one) == pytest.approx(1, abs=1e-5)
    assert abs(sum(x * y for x, y in zip(one, other, strict=True))) < 0.2
    assert vector_of("один") == one
