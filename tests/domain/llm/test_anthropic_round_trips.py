from __future__ import annotations

from itertools import pairwise

import orjson
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.llm.anthropic_client import AnthropicClient
from lib.domain.llm.anthropic_provider import AnthropicProvider
from lib.domain.llm.dialects import Options
from lib.domain.llm.wire import Json, SseReader

from .anthropic_making import (
    STAMP,
    answers,
    call_delta,
    chats,
    check_message,
    check_request,
    check_stream,
    chunk,
    sum_of,
    texts,
    usages,
)

CLIENT, PROVIDER = AnthropicClient(), AnthropicProvider()
reasons = st.sampled_from(["stop", "length", "content_filter"])


def parsed(messages: list[Json]) -> list[Json]:
    """Messages whose calls have their arguments as objects: spelling is not kept."""
    found = orjson.loads(orjson.dumps(messages))
    for message in found:
        for call in message.get("tool_calls", []):
            call["function"]["arguments"] = orjson.loads(call["function"]["arguments"])
    return found


@given(chats(), st.booleans())
def test_a_chat_comes_back_from_anthropic(messages: list[Json], stream: bool) -> None:
    chat = {"model": "claude-sonnet-4-5", "messages": messages, "max_tokens": 9, "stream": stream}
    request = check_request(PROVIDER.request_from(chat, Options()))
    back = CLIENT.chat_from(request)
    assert parsed(back["messages"]) == parsed(messages)
    assert (back["max_tokens"], back.get("stream", False)) == (9, stream)


@given(answers(), reasons, usages())
def test_an_answer_comes_back_from_anthropic(message: Json, reason: str, usage: Json) -> None:
    reason = "tool_calls" if message.get("tool_calls") and reason == "stop" else reason
    choice = {"index": 0, "message": message, "finish_reason": reason}
    answer = CLIENT.answer_from({"choices": [choice], "usage": usage}, {}, STAMP)
    back = PROVIDER.chat_from(check_message(answer), STAMP)
    assert parsed([back["choices"][0]["message"]]) == parsed([message])
    assert back["choices"][0]["finish_reason"] == reason
    assert back["usage"] == usage
    assert back["id"] == "chatcmpl-abc123"


def cut(text: str, at: list[int]) -> list[str]:
    bounds = [0, *sorted(n % (len(text) + 1) for n in at), len(text)]
    return [text[a:b] for a, b in pairwise(bounds)]


@st.composite
def streams(draw: st.DrawFn) -> list[Json]:
    """The chunks of an answer, cut anywhere; calls may mix their pieces, thoughts come first."""
    message, cuts = draw(answers()), st.lists(st.integers(0, 40), max_size=3)
    chunks = [chunk({"role": "assistant", "content": ""})]
    for detail in message.get("reasoning_details", []):
        pieces = cut(detail.get("text", ""), draw(cuts))
        chunks += [chunk({"reasoning_content": piece}) for piece in pieces]
        chunks.append(chunk({"reasoning_details": [detail]}))
    said = [chunk({"content": piece}) for piece in cut(message["content"] or "", draw(cuts))]
    lines = []
    for n, call in enumerate(message.get("tool_calls", [])):
        function = call["function"]
        opening = chunk(call_delta(n, "", call["id"], function["name"]))
        pieces = cut(function["arguments"], draw(cuts))
        lines.append([opening, *(chunk(call_delta(n, piece)) for piece in pieces)])
    if draw(st.booleans()):
        chunks += said
    else:
        lines.append(said)
    while waiting := [line for line in lines if line]:
        chunks.append(draw(st.sampled_from(waiting)).pop(0))
    reason = "tool_calls" if message.get("tool_calls") else draw(reasons)
    return [*chunks, chunk(finish_reason=reason), {"choices": [], "usage": draw(usages())}]


def by_id(total: Json) -> Json:
    """Calls by their ids, for their order is the one in which they began."""
    calls = {call["id"]: (call["name"], call["args"]) for call in total["calls"].values()}
    return total | {"calls": calls}


@given(streams(), st.lists(st.integers(0, 4000), max_size=8))
def test_a_stream_comes_back_whatever_it_was_cut_into(chunks: list[Json], at: list[int]) -> None:
    encoder = CLIENT.encoder({}, STAMP)
    stream = b"".join([*map(encoder.feed, chunks), encoder.end()])
    check_stream(stream)

    reader, decoder = SseReader(), PROVIDER.decoder(STAMP)
    bounds = [0, *sorted(n % (len(stream) + 1) for n in at), len(stream)]
    events = [event for a, b in pairwise(bounds) for event in reader.feed(stream[a:b])]
    back = [found for event in [*events, *reader.rest()] for found in decoder.feed(event)]
    assert by_id(sum_of([*back, *decoder.end()])) == by_id(sum_of(chunks))


@given(st.lists(texts, min_size=1, max_size=4))
def test_a_stream_of_texts_is_one_block_with_a_delta_for_each(said: list[str]) -> None:
    encoder = CLIENT.encoder({}, STAMP)
    first = encoder.feed(chunk({"role": "assistant"}))
    each = [encoder.feed(chunk({"content": text})) for text in said]
    assert all(each)  # nothing waits
    deltas = [
        event["delta"]["text"]
        for event in check_stream(b"".join([first, *each, encoder.end()]))
        if event["type"] == "content_block_delta"
    ]
    assert deltas == said
