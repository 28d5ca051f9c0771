from __future__ import annotations

import json

import ollama
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.llm.dialects import Options
from lib.domain.llm.fim import GenerateProvider
from lib.domain.llm.ollama_client import OllamaChatClient, OllamaGenerateClient
from lib.domain.llm.ollama_provider import OllamaProvider
from lib.domain.llm.wire import Json

from .ollama_talk import (
    STAMP,
    WEATHER,
    answers,
    calls_in,
    chat,
    cut_lines,
    decoded,
    encoded,
    streams,
    told,
    turns,
)

cuts = st.lists(st.integers(0, 10_000), max_size=6)


def flat(message: Json) -> Json:
    """A message whose calls can be compared: the spelling of JSON does not count."""
    return message | {"tool_calls": calls_in(message)}


@given(turns())
def test_a_chat_comes_back_as_it_was(messages: list[Json]) -> None:
    asked = chat(*messages, tools=[WEATHER], seed=1, stop=["x"], reasoning_effort="none")
    request = OllamaProvider().request_from(asked, Options(num_ctx=4096, max_tokens=9))
    back = OllamaChatClient().chat_from(request)
    assert [flat(each) for each in back.pop("messages")] == [flat(each) for each in messages]
    asked.pop("messages")
    assert back == asked | {"stream": False, "max_tokens": 9}


@given(turns())
def test_the_sdk_takes_our_messages_for_its_own(messages: list[Json]) -> None:
    for message in OllamaProvider().request_from(chat(*messages), Options())["messages"]:
        ollama.Message.model_validate({**message, "images": None})


@given(answers())
def test_an_answer_comes_back_as_it_was(answer: Json) -> None:
    given_back = OllamaChatClient().answer_from(answer, {}, STAMP)
    ollama.ChatResponse.model_validate(given_back)
    back = OllamaProvider().chat_from(given_back, STAMP)
    was, now = answer["choices"][0], back["choices"][0]
    assert calls_in(now["message"]) == calls_in(was["message"])
    assert (now["message"]["content"] or "") == was["message"]["content"]
    thought = was["message"].get("reasoning_content")
    assert now["message"].get("reasoning_content") == thought
    assert (now["finish_reason"], back["usage"]) == (was["finish_reason"], answer["usage"])


def gathered(chunks: list[Json]) -> dict[str, object]:
    """As ``told``, of a stream whose calls come in pieces."""
    plain = [c for c in chunks if not (c["choices"] and "tool_calls" in c["choices"][0]["delta"])]
    names: list[str] = []
    said: list[str] = []
    for chunk in chunks:
        for call in chunk["choices"][0]["delta"].get("tool_calls", []) if chunk["choices"] else []:
            if name := call["function"].get("name"):
                names.append(name)
                said.append("")
            said[call["index"]] += call["function"]["arguments"]
    calls = [(name, json.loads(each)) for name, each in zip(names, said, strict=True)]
    return told(plain) | {"calls": calls}


@given(streams(), cuts)
def test_a_stream_comes_back_as_it_was(chunks: list[Json], places: list[int]) -> None:
    events = cut_lines(encoded(OllamaChatClient().encoder({}, STAMP), chunks), places)
    for event in events:
        ollama.ChatResponse.model_validate(json.loads(event.data))
    assert told(decoded(OllamaProvider().decoder(STAMP), events)) == gathered(chunks)


@given(streams(with_calls=False), cuts)
def test_a_stream_of_generate_comes_back_as_it_was(chunks: list[Json], places: list[int]) -> None:
    events = cut_lines(encoded(OllamaGenerateClient().encoder({}, STAMP), chunks), places)
    for event in events:
        ollama.GenerateResponse.model_validate(json.loads(event.data))
    assert told(decoded(GenerateProvider().decoder(STAMP), events)) == told(chunks)
