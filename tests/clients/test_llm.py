"""The LLM client against the stand-in, over real HTTP."""

from __future__ import annotations

import contextlib
import json
import logging
import traceback
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.sandbox.app import create_app
from lib.clients.llm import Llm, object_in
from lib.errors import Denied, PotokError, RateLimited, Rejected, Unavailable
from tests.sandbox_server import running

KEY = "sk-very-secret"
SCHEMA = {
    "type": "object",
    "properties": {
        "is_lead": {"type": "boolean"},
        "phone": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "amount": {"anyOf": [{"type": "number"}, {"type": "null"}]},
    },
    "required": ["is_lead", "phone", "amount"],
    "additionalProperties": False,
}
MESSAGES = [
    {"role": "system", "content": "Прочти сообщение."},
    {"role": "user", "content": '{"text": "Нужен кредит 5 млн, +7 916 123-45-67"}'},
]
READ = {"is_lead": True, "phone": "+79161234567", "amount": 5_000_000}


@pytest.fixture(scope="session")
async def provider() -> AsyncIterator[httpx.AsyncClient]:
    async with running(create_app()) as url, httpx.AsyncClient(base_url=url, timeout=10) as http:
        yield http


@pytest.fixture
async def control(provider: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    yield provider
    await provider.post("/control/llm/reset")


@pytest.fixture
async def llm(control: httpx.AsyncClient) -> AsyncIterator[Llm]:
    async with Llm(f"{control.base_url}/llm/v1", KEY, "sandbox", timeout_s=5) as client:
        yield client


async def fail(control: httpx.AsyncClient, kind: str, **more: Any) -> None:
    answer = await control.post("/control/llm/failures", json={"kind": kind, "times": 1} | more)
    assert answer.status_code == 200


async def read(llm: Llm) -> dict[str, Any]:
    return await llm.complete_json(MESSAGES, "lead", SCHEMA)


async def test_an_object_of_the_schema_comes_back(llm: Llm) -> None:
    assert await read(llm) == READ


async def test_a_fenced_answer_is_as_good(control: httpx.AsyncClient, llm: Llm) -> None:
    await fail(control, "fenced")
    assert await read(llm) == READ


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("nonsense", "not JSON"),
        ("wrong_shape", "lacks phone"),
        ("truncated", "broke off"),
        ("error_in_200", "status 502"),
        ("empty_choices", "no choices"),
        ("html", "no chat completion|cannot be read"),
        ("cut", "hung up|cannot be read"),
    ],
)
async def test_a_spoiled_answer_is_unavailable(
    control: httpx.AsyncClient, llm: Llm, kind: str, reason: str
) -> None:
    await fail(control, kind)
    with pytest.raises(Unavailable, match=reason):
        await read(llm)
    assert await read(llm) == READ


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Rejected),
        (401, Denied),
        (402, Denied),
        (403, Denied),
        (404, Rejected),
        (408, Unavailable),
        (422, Rejected),
        (429, RateLimited),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
async def test_a_status_is_our_error_and_is_not_repeated(
    control: httpx.AsyncClient, llm: Llm, status: int, error: type[PotokError]
) -> None:
    await fail(control, "status", status=status)
    with pytest.raises(PotokError) as caught:
        await read(llm)
    assert type(caught.value) is error
    state = (await control.get("/control/llm/state")).json()
    assert state["counts"]["requests"] == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_the_pause_that_is_asked_for_is_told(
    control: httpx.AsyncClient, llm: Llm, status: int
) -> None:
    await fail(control, "status", status=status, retry_after_s=42)
    with pytest.raises(RateLimited) as caught:
        await read(llm)
    assert caught.value.retry_after_s == 42


@pytest.mark.parametrize("failure", [{"kind": "hang"}, {"kind": "slow", "delay_s": 3}])
async def test_no_answer_in_time_is_unavailable(
    control: httpx.AsyncClient, failure: dict[str, Any]
) -> None:
    await fail(control, **failure)
    async with Llm(f"{control.base_url}/llm/v1", KEY, "sandbox", timeout_s=0.2) as llm:
        with pytest.raises(Unavailable, match="no answer in time"):
            await read(llm)


async def test_a_server_that_is_away_is_unavailable() -> None:
    async with Llm("http://127.0.0.1:9/v1", KEY, "sandbox", timeout_s=2) as llm:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await read(llm)


async def test_a_schema_that_is_not_strict_is_rejected(llm: Llm) -> None:
    with pytest.raises(Rejected, match="llm: status 400: check LLM_MODEL") as caught:
        await llm.complete_json(MESSAGES, "lead", {"type": "object", "properties": {}})
    assert "additionalProperties" not in str(caught.value), "its words may quote the message"


async def test_no_key_and_no_text_is_told(
    control: httpx.AsyncClient, llm: Llm, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await read(llm)
    told = [repr(llm)]
    for kind in ("hang", "cut", "nonsense", "status"):
        await fail(control, kind)
        async with Llm(f"{control.base_url}/llm/v1", KEY, "sandbox", timeout_s=0.3) as hasty:
            with pytest.raises(PotokError) as caught:
                await read(hasty)
        told.append("".join(traceback.format_exception(caught.value)))
    everything = "\n".join([*told, caplog.text])
    assert KEY not in everything
    assert "916" not in everything


objects = st.dictionaries(
    st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5)
)


@given(objects, st.sampled_from(["{}", " {}\n", "```json\n{}\n```", "<think>\nа?\n</think>\n{}"]))
def test_an_object_is_found_in_what_models_put_around_it(
    written: dict[str, Any], around: str
) -> None:
    before, after = around.split("{}")
    assert object_in(before + json.dumps(written) + after) == written


@given(st.text())
def test_any_content_is_an_object_or_unavailable(content: str) -> None:
    with contextlib.suppress(Unavailable):
        assert isinstance(object_in(content), dict)
