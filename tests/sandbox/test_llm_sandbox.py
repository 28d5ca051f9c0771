"""The stand-in for a language model over real HTTP: its answers, its strictness, its failures."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.sandbox.app import create_app
from deployments.sandbox.llm_reading import customer_text, inquiry_in
from deployments.sandbox.llm_schema import filled, fits
from tests.sandbox_server import running

AUTH = {"Authorization": "Bearer any"}


def nullable(kind: str) -> dict[str, Any]:
    return {"anyOf": [{"type": kind}, {"type": "null"}]}


PROPERTIES: dict[str, Any] = {
    "is_lead": {"type": "boolean"},
    "why": {"type": "string", "enum": ["lead", "small_talk", "spam", "no_request"]},
    "name": nullable("string"),
    "phone": nullable("string"),
    "email": nullable("string"),
    "company": nullable("string"),
    "intent": nullable("string"),
    "amount": nullable("number"),
    "currency": nullable("string"),
    "urgency": {"anyOf": [{"enum": ["low", "normal", "high"]}, {"type": "null"}]},
    "summary": {"type": "string"},
    "language": nullable("string"),
}


def strict(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


LEAD = strict(PROPERTIES)


@pytest.fixture(scope="session")
async def llm_http() -> AsyncIterator[httpx.AsyncClient]:
    async with (
        running(create_app()) as url,
        httpx.AsyncClient(base_url=url, headers=AUTH, timeout=10) as http,
    ):
        yield http


@pytest.fixture
async def http(llm_http: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    yield llm_http
    await llm_http.post("/control/llm/reset")


def question(content: Any, schema: dict[str, Any] | None = LEAD, **more: Any) -> dict[str, Any]:
    form = {
        "type": "json_schema",
        "json_schema": {"name": "lead", "schema": schema, "strict": True},
    }
    messages = [{"role": "system", "content": "…"}, {"role": "user", "content": content}]
    return {"model": "m", "messages": messages, "response_format": form} | more


async def ask(http: httpx.AsyncClient, body: dict[str, Any]) -> httpx.Response:
    return await http.post("/llm/v1/chat/completions", json=body)


async def read(http: httpx.AsyncClient, content: Any) -> dict[str, Any]:
    answer = (await ask(http, question(content))).json()
    found: dict[str, Any] = json.loads(answer["choices"][0]["message"]["content"])
    assert list(found) == list(PROPERTIES)
    return found


TEXT = (
    "Здравствуйте! Меня зовут Иван Петров, ООО «Ромашка». Срочно нужен кредит 5 млн руб. "
    "Телефон 8 (916) 123-45-67, почта Ivan@romashka.ru"
)


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        json.dumps({"text": TEXT, "sender": {"name": "Кто-то"}}),
        "Сообщение:\n" + json.dumps({"sender": None, "text": TEXT}, ensure_ascii=False),
        [{"type": "text", "text": TEXT}],
    ],
)
async def test_a_lead_is_read_out_of_any_form_of_prompt(
    http: httpx.AsyncClient, content: Any
) -> None:
    found = await read(http, content)
    assert found["is_lead"] is True
    assert found["why"] == "lead"
    assert found["name"] == "Иван Петров"
    assert found["phone"] == "+79161234567"
    assert found["email"] == "ivan@romashka.ru"
    assert found["company"] == "ООО «Ромашка»"
    assert (found["amount"], found["currency"]) == (5_000_000, "RUB")
    assert found["urgency"] == "high"
    assert "кредит" in found["intent"]
    assert found["language"] == "ru"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Добрый день!", "small_talk"),
        ("Лучшее казино, заработок от 100 000 руб в день", "spam"),
        ("Красивый закат над морем", "no_request"),
        ("Хочу ипотеку", "lead"),
        ("+7 916 123 45 67", "lead"),
    ],
)
async def test_what_is_no_lead_says_why(http: httpx.AsyncClient, text: str, why: str) -> None:
    found = await read(http, text)
    assert (found["why"], found["is_lead"]) == (why, why == "lead")


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("нужно 500 тыс", 500_000, "RUB"),
        ("кредит 5 000 000", 5_000_000, "RUB"),
        ("1,5 миллиона рублей", 1_500_000, "RUB"),
        ("займ 300 €", 300, "EUR"),
        ("300 евро", 300, "EUR"),
        ("мне 45 лет", None, None),
        ("+7 916 123 45 67", None, None),
    ],
)
def test_sums_are_read(text: str, amount: float | None, currency: str | None) -> None:
    found = inquiry_in(text)
    assert (found["amount"], found["currency"]) == (amount, currency)


async def test_another_schema_gets_the_least_that_fits(http: httpx.AsyncClient) -> None:
    inner = {"$ref": "#/$defs/part"}
    schema = strict({"title": {"type": "string"}, "part": inner, "parts": {"type": "array"}})
    schema["$defs"] = {"part": strict({"n": {"type": "integer", "minimum": 3}})}
    answer = (await ask(http, question("что это?", schema))).json()
    found = json.loads(answer["choices"][0]["message"]["content"])
    assert found == {"title": "", "part": {"n": 3}, "parts": []}


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ({"type": "object", "properties": {}}, "'additionalProperties' is required"),
        (LEAD | {"required": ["why"]}, "Missing 'amount'"),
        (strict({"x": {"type": "string", "default": ""}}), "'default' is not permitted"),
        (strict({"x": {"type": "array", "items": {"type": "object"}}}), "('items')"),
    ],
)
async def test_a_schema_that_is_not_strict_is_refused(
    http: httpx.AsyncClient, schema: dict[str, Any], complaint: str
) -> None:
    answer = await ask(http, question("x", schema))
    assert answer.status_code == 400
    assert complaint in answer.json()["error"]["message"]


async def test_a_key_is_needed_and_the_request_has_to_be_whole(http: httpx.AsyncClient) -> None:
    for path in ("chat/completions", "models"):
        method = "GET" if path == "models" else "POST"
        refused = await http.request(method, f"/llm/v1/{path}", headers={"Authorization": "Bearer"})
        assert refused.status_code == 401
    assert (await http.get("/llm/v1/models")).json()["data"][0]["id"] == "sandbox"
    for body in ({}, {"model": "m"}, {"model": "m", "messages": []}):
        assert (await ask(http, body)).status_code == 400


async def test_a_stream_gives_the_same_answer(http: httpx.AsyncClient) -> None:
    whole = (await ask(http, question(TEXT))).json()["choices"][0]["message"]["content"]
    streamed = await ask(http, question(TEXT, stream=True))
    assert streamed.headers["content-type"].startswith("text/event-stream")
    events = [line.removeprefix("data: ") for line in streamed.text.splitlines() if line]
    assert events.pop() == "[DONE]"
    deltas = [json.loads(event)["choices"][0]["delta"] for event in events]
    assert "".join(delta.get("content", "") for delta in deltas) == whole


async def spoiled(http: httpx.AsyncClient, **failure: Any) -> httpx.Response:
    switched = await http.post("/control/llm/failures", json={"times": 1} | failure)
    assert switched.status_code == 200
    return await ask(http, question(TEXT))


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_status_comes_with_its_pause(http: httpx.AsyncClient, status: int) -> None:
    answer = await spoiled(http, kind="status", status=status, retry_after_s=4)
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "4")
    assert (await ask(http, question(TEXT))).status_code == 200


async def test_answers_can_be_spoiled(http: httpx.AsyncClient) -> None:
    def content(answer: httpx.Response) -> str:
        return str(answer.json()["choices"][0]["message"]["content"])

    with pytest.raises(ValueError, match="Expecting"):
        json.loads(content(await spoiled(http, kind="nonsense")))
    assert "why" not in json.loads(content(await spoiled(http, kind="wrong_shape")))
    assert content(await spoiled(http, kind="fenced")).startswith("```json\n{")
    truncated = await spoiled(http, kind="truncated")
    assert truncated.json()["choices"][0]["finish_reason"] == "length"
    inside = await spoiled(http, kind="error_in_200")
    assert (inside.status_code, inside.json()["error"]["code"]) == (200, 502)
    assert (await spoiled(http, kind="empty_choices")).json()["choices"] == []
    assert (await spoiled(http, kind="html")).text.startswith("<html>")
    assert (await spoiled(http, kind="slow", delay_s=0.01)).status_code == 200
    with pytest.raises(httpx.RemoteProtocolError):
        await spoiled(http, kind="cut")
    await http.post("/control/llm/failures", json={"kind": "hang"})
    with pytest.raises(httpx.ReadTimeout):
        await http.post("/llm/v1/chat/completions", json=question(TEXT), timeout=0.2)
    state = (await http.get("/control/llm/state")).json()
    assert state["counts"]["requests"] == 10
    assert state["failures"][0]["kind"] == "hang"
    assert (await http.get("/control/llm/failures")).json()[0]["kind"] == "hang"
    assert (await http.delete("/control/llm/failures")).json() == []
    assert (await ask(http, question(TEXT))).status_code == 200


@pytest.mark.parametrize("body", ["{", '{"kind": "fire"}', '{"kind": "hang", "times": 0}', "[]"])
async def test_an_unknown_failure_is_refused(http: httpx.AsyncClient, body: str) -> None:
    answer = await http.post("/control/llm/failures", content=body)
    assert answer.status_code == 422


@given(st.text())
def test_any_text_is_read_into_a_whole_inquiry(text: str) -> None:
    found = filled(LEAD, inquiry_in(text))
    assert set(found) == set(PROPERTIES)
    assert all(fits(found[name], part, LEAD) for name, part in PROPERTIES.items())


@given(st.lists(st.dictionaries(st.sampled_from(["role", "content"]), st.text() | st.none())))
def test_any_messages_have_a_text(messages: list[Any]) -> None:
    assert isinstance(customer_text(messages), str)


def test_the_sandbox_starts_as_a_program_and_says_so() -> None:
    command = [sys.executable, "-m", "deployments.sandbox", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        ready = re.fullmatch(r"sandbox\.ready url=(http://127\.0\.0\.1:\d+)\n", line)
        assert ready, line
        assert httpx.get(f"{ready[1]}/healthz", timeout=5).json() == {"ok": True}
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=10)
