"""Names that PostgreSQL could not store stop nobody's record."""

from __future__ import annotations

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
