from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Completion

from lib.domain.llm.chunks import answer_of, usage_of
from lib.domain.llm.completions_client import CompletionsClient
from lib.domain.llm.dialects import Options
from lib.domain.llm.fim import GenerateProvider, generate_from, has_fim_tokens, is_templated
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Json, SseReader
from lib.errors import Rejected, Unavailable
from tests.domain.making import any_json, twisted

from .ollama_talk import STAMP, decoded, encoded, lines, refusal_of, streams, told

CLIENT = CompletionsClient()
QWEN = "<|fim_prefix|>def f(<|fim_suffix|>)<|fim_middle|>"
TABLE = Options(num_ctx=8192, keep_alive=-1, think=True)


def body(prompt: object = "def f(", **fields: Any) -> Json:
    return {"model": "qwen2.5-coder:7b", "prompt": prompt, **fields}


@pytest.mark.parametrize(
    "prompt",
    [
        QWEN,
        "<fim_prefix>a<fim_suffix>b<fim_middle>",
        "<fim-prefix>a<fim-suffix>b<fim-middle>",
        "<PRE> a <SUF>b <MID>",
        "<｜fim▁begin｜>a<｜fim▁hole｜>b<｜fim▁end｜>",
        "[SUFFIX]b[PREFIX]a",
        "+++++ a.py\nx\n[SUFFIX]b[PREFIX]a",
        "<|code_prefix|>a<|code_suffix|>b<|code_middle|>",
    ],
)
def test_prompts_with_a_hole(prompt: str) -> None:
    assert has_fim_tokens(prompt)
    assert generate_from(body(prompt), Options())["raw"] is True
    with pytest.raises(NotForThisModel, match="chats only"):
        CLIENT.chat_from(body(prompt))


@pytest.mark.parametrize(
    "prompt", ["", "def f(", "<html><PRE>a</PRE>", "[PREFIX] is a name", "a<b"]
)
def test_prompts_without(prompt: str) -> None:
    assert not has_fim_tokens(prompt)
    assert "raw" not in generate_from(body(prompt), Options())


def test_a_chat_that_is_templated_already_is_raw_too() -> None:
    prompt = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert is_templated(prompt)
    assert not has_fim_tokens(prompt)
    assert generate_from(body(prompt), Options())["raw"] is True


def test_the_request_to_generate() -> None:
    stops = [str(n) for n in range(9)]
    asked = body([QWEN], stream=True, max_tokens=50, temperature=0.01, stop=stops, top_p=1, n=1)
    assert generate_from(asked, TABLE) == {
        "model": "qwen2.5-coder:7b",
        "stream": True,
        "prompt": QWEN,
        "raw": True,
        "think": False,
        "options": {
            "temperature": 0.01,
            "top_p": 1,
            "num_predict": 50,
            "num_ctx": 8192,
            "stop": stops,
        },
        "keep_alive": -1,
    }


def test_a_suffix_is_the_templates_business() -> None:
    request = generate_from(body(suffix="):\n"), Options())
    assert (request["prompt"], request["suffix"]) == ("def f(", "):\n")
    assert "raw" not in request
    with pytest.raises(Rejected, match="stands inside it"):
        generate_from(body(QWEN, suffix="b"), Options())
    with pytest.raises(NotForThisModel, match="chats only"):
        CLIENT.chat_from(body(suffix="b"))


@pytest.mark.parametrize(
    "asked",
    [
        body(["a", "b"]),
        body([]),
        body([1, 2]),
        body([[1]]),
        body(None),
        body(5),
        body(n=2),
        body(best_of=3),
        body(echo=True),
        body(logprobs=1),
        body(suffix=1),
        body(model=""),
        body(stream="yes"),
    ],
)
def test_what_is_refused(asked: Json) -> None:
    assert refusal_of(generate_from, asked, Options())
    assert refusal_of(CLIENT.chat_from, asked)


def test_for_a_model_that_chats_the_prompt_is_one_message() -> None:
    asked = body(["Скажи: да"], stream=True, max_tokens=5, stop="x", echo=False, temperature=None)
    assert CLIENT.chat_from(asked) == {
        "model": "qwen2.5-coder:7b",
        "messages": [{"role": "user", "content": "Скажи: да"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 5,
        "stop": "x",
    }


@pytest.mark.parametrize(
    ("finish", "expected"),
    [("stop", "stop"), ("length", "length"), ("tool_calls", "stop"), (None, "stop")],
)
def test_an_answer(finish: Any, expected: str) -> None:
    chat = answer_of({"content": "да", "reasoning_content": "?"}, finish, usage_of(1, 2), STAMP)
    text = Completion.model_validate(CLIENT.answer_from(chat, {}, STAMP))
    assert text.choices[0].text == "да"
    assert text.choices[0].finish_reason == expected
    assert text.usage is not None
    assert text.usage.total_tokens == 3


def test_an_answer_of_generate() -> None:
    given = {"response": "x):", "done": True, "done_reason": "length", "eval_count": 2}
    chat = GenerateProvider().chat_from(given, STAMP)
    text = Completion.model_validate(CLIENT.answer_from(chat, {}, STAMP))
    assert (text.id, text.model) == ("cmpl-a1b2c3", "qwen3-coder")
    assert (text.choices[0].text, text.choices[0].finish_reason) == ("x):", "length")
    with pytest.raises(Unavailable, match="busy"):
        GenerateProvider().chat_from({"error": "busy"}, STAMP)


def events_of(stream: bytes) -> list[bytes]:
    return [event.data for event in SseReader().feed(stream)]


def test_a_stream_of_generate() -> None:
    payloads = [{"response": "x)"}, {"response": ":"}, {"response": "", "done": True}]
    chunks = decoded(GenerateProvider().decoder(STAMP), lines(*payloads))
    *events, last = events_of(encoded(CLIENT.encoder({}, STAMP), chunks))
    assert last == b"[DONE]"
    choices = [orjson.loads(event)["choices"][0] for event in events]
    found = [(choice["text"], choice["finish_reason"]) for choice in choices]
    assert found == [("x)", None), (":", None), ("", "stop")]


@given(streams(with_calls=False), st.booleans())
def test_a_stream_says_all(chunks: list[Json], wants_usage: bool) -> None:
    asked = {"stream_options": {"include_usage": wants_usage}}
    *events, last = events_of(encoded(CLIENT.encoder(asked, STAMP), chunks))
    assert last == b"[DONE]"
    found = [orjson.loads(event) for event in events]
    for text in found:  # a chunk's finish_reason may be null, whatever the type says
        filled = [{"finish_reason": "stop"} | _without_null(c) for c in text["choices"]]
        Completion.model_validate(text | {"choices": filled})
    everything = told(chunks)
    choices = [choice for text in found for choice in text["choices"]]
    assert "".join(choice["text"] for choice in choices) == everything["text"]
    assert [c["finish_reason"] for c in choices if c["finish_reason"]] == everything["finish"]
    assert [text["usage"] for text in found if "usage" in text] == [everything["usage"]] * (
        wants_usage
    )


def _without_null(choice: Json) -> Json:
    return {key: value for key, value in choice.items() if value is not None}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (429, "rate_limit_error"), (503, "server_error")],
)
def test_errors(status: int, kind: str) -> None:
    assert CLIENT.error_from(status, "c", "words")["error"] == {
        "message": "words",
        "type": kind,
        "param": None,
        "code": "c",
    }
    (event,) = events_of(CLIENT.encoder({}, STAMP).fail(status, "words"))
    assert orjson.loads(event)["error"]["message"] == "words"


GOOD = body(["a"], suffix="b", stream=True, stop=["c"], max_tokens=1, seed=2, echo=False, n=1)


@given(twisted(GOOD) | any_json)
def test_a_twisted_body_is_read_or_refused(asked: Any) -> None:
    refusal_of(generate_from, asked, TABLE)
    refusal_of(CLIENT.chat_from, asked)


@given(any_json)
def test_an_encoder_minds_no_garbage(garbage: Any) -> None:
    for chunk in ({"choices": garbage}, {"choices": [{"delta": garbage}], "usage": garbage}):
        encoder = CLIENT.encoder({"stream_options": garbage}, STAMP)
        assert encoded(encoder, [chunk]).endswith(b"[DONE]\n\n")
