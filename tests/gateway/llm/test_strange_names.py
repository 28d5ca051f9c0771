"""Names that PostgreSQL could not store stop nobody's record."""

from __future__ import annotations

import pytest

from tests.gateway.llm.open_house import Open

PING = [{"role": "user", "content": "ping\x00"}]


async def test_a_name_with_a_nul_is_recorded_without_it(door: Open) -> None:
    answer = await door.ask("/v1/chat/completions", {"model": "ma\x00in", "messages": PING})
    assert answer.status_code == 404
    answer = await door.ask("/v1/chat/completions", {"model": "main", "messages": PING})
    assert answer.status_code == 200
    refused, answered = await door.calls()
    assert (refused["alias"], refused["outcome"]) == ("ma\ufffdin", "refused")
    assert (answered["alias"], answered["outcome"]) == ("main", "ok")


async def test_a_text_with_a_nul_is_kept_without_it(door: Open) -> None:
    secret = await door.new_key("keeper", keeps_texts=True)
    body = {"model": "main", "messages": PING}
    assert (await door.ask("/v1/chat/completions", body, key=secret)).status_code == 200
    [call] = await door.calls()
    assert "ping\ufffd" in str(call["texts"])


@pytest.mark.parametrize("field", ["metadata", "tools"])
async def test_a_deep_question_is_recorded(door: Open, field: str) -> None:
    secret = await door.new_key("keeper", keeps_texts=True)
    deep = b'{"a":' * 1000 + b"1" + b"}" * 1000
    if field == "tools":
        deep = b'[{"type":"function","function":{"name":"f","parameters":' + deep + b"}}]"
    raw = b'{"model":"main","messages":[{"role":"user","content":"ping"}],"%s":%s}'
    answer = await door.ask("/v1/chat/completions", raw % (field.encode(), deep), key=secret)
    assert answer.status_code == {"metadata": 200, "tools": 400}[field], answer.text
    await door.ask("/v1/chat/completions", {"model": "main", "messages": PING}, key=secret)
    calls = await door.calls()
    assert [call["status"] for call in calls] == [answer.status_code, 200]
    assert calls[0]["texts"] == {"not kept": "no JSON that can be written"}
