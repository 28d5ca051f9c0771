from __future__ import annotations

import struct
from base64 import b64decode
from typing import Any

import ollama
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from lib.domain.llm.dialects import Options
from lib.domain.llm.embeddings import (
    embed_from,
    embeddings_from,
    ollama_embeddings_from,
    openai_embeddings_from,
)
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Json
from lib.errors import PotokError, Rejected, Unavailable
from tests.domain.making import any_json, twisted

from .ollama_talk import STAMP, refusal_of

TABLE = Options(num_ctx=2048, keep_alive="1h", extra={"truncate": False})
rows = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=5)
tables = st.lists(rows, min_size=1, max_size=4)


def asked(given: object = "кот", **fields: Any) -> Json:
    return {"model": "nomic-embed-text", "input": given, **fields}


def test_the_request_to_ollama() -> None:
    request = embed_from(asked(["кот", "пёс"], dimensions=64, encoding_format="base64"), TABLE)
    assert request == {
        "model": "nomic-embed-text",
        "input": ["кот", "пёс"],
        "dimensions": 64,
        "options": {"num_ctx": 2048},
        "keep_alive": "1h",
        "truncate": False,
    }
    assert embed_from(asked(), Options()) == {"model": "nomic-embed-text", "input": ["кот"]}


@pytest.mark.parametrize("tokens", [[1, 2], [[1, 2], [3]], [True]])
def test_tokens_are_for_another_model(tokens: object) -> None:
    with pytest.raises(NotForThisModel, match="tokens"):
        embed_from(asked(tokens), Options())


@pytest.mark.parametrize(
    "body",
    [asked(None), asked([]), asked(""), asked({}), asked([None]), asked(model=None),
     asked(encoding_format="int8"), asked(dimensions="64")],
)  # fmt: skip
def test_what_is_refused(body: Json) -> None:
    assert refusal_of(embed_from, body, Options())


def test_the_answer_to_an_openai_client() -> None:
    given = {"embeddings": [[0.5, -1], [2, 0]], "prompt_eval_count": 4}
    answer = embeddings_from(given, asked(["a", "b"]), STAMP)
    found = CreateEmbeddingResponse.model_validate(answer)
    assert [(each.index, each.embedding) for each in found.data] == [(0, [0.5, -1]), (1, [2, 0])]
    assert (found.model, found.usage.prompt_tokens, found.usage.total_tokens) == (STAMP.model, 4, 4)


@given(tables)
def test_base64_is_float32_little_endian(table: list[list[float]]) -> None:
    body = asked(["a"] * len(table), encoding_format="base64")
    answer = embeddings_from({"embeddings": table}, body, STAMP)
    read = [b64decode(each["embedding"]) for each in answer["data"]]
    assert [list(struct.unpack(f"<{len(row) // 4}f", row)) for row in read] == table


@given(tables, st.sampled_from(["float", "base64"]), st.randoms(use_true_random=False))
def test_embeddings_come_back_as_they_were(table: list[list[float]], kind: str, order: Any) -> None:
    body = asked(["a"] * len(table), encoding_format=kind)
    answer = embeddings_from({"embeddings": table, "prompt_eval_count": 3}, body, STAMP)
    order.shuffle(answer["data"])
    back = ollama_embeddings_from(answer, asked(["a"]), STAMP)
    found = ollama.EmbedResponse.model_validate(back)
    assert [list(row) for row in found.embeddings] == table
    assert found.prompt_eval_count == 3


def test_an_ollama_client_of_an_openai_provider() -> None:
    body = asked("кот", truncate=True, options={"num_ctx": 1}, dimensions=8)
    assert openai_embeddings_from(body) == {
        "model": "nomic-embed-text",
        "input": ["кот"],
        "encoding_format": "float",
        "dimensions": 8,
    }


def test_the_older_door() -> None:
    body = {"model": "nomic-embed-text", "prompt": "кот"}
    assert openai_embeddings_from(body)["input"] == "кот"
    answer = {"data": [{"index": 0, "embedding": [0.5]}]}
    found = ollama_embeddings_from(answer, body, STAMP)
    assert ollama.EmbeddingsResponse.model_validate(found).embedding == [0.5]
    for wrong, words in (({"prompt": ""}, "`prompt`"), ({"prompt": None}, "`prompt`"), ({}, "`in")):
        with pytest.raises(Rejected, match=words):
            openai_embeddings_from({"model": "m"} | wrong)


@pytest.mark.parametrize(
    "given",
    [{}, {"embeddings": []}, {"embeddings": [[1], [2]]}, {"embeddings": [[]]},
     {"embeddings": [["x"]]}, {"embeddings": [[10**40]]}, {"embeddings": [None]},
     {"error": "out of memory"}],
)  # fmt: skip
def test_what_is_no_answer_of_ollama(given: Json) -> None:
    with pytest.raises(Unavailable):
        embeddings_from(given, asked(encoding_format="base64"), STAMP)


@pytest.mark.parametrize(
    "given",
    [{}, {"data": []}, {"data": [{}]}, {"data": [{"embedding": "a"}]},
     {"data": [{"embedding": "AAA="}]}, {"error": {"message": "no"}}],
)  # fmt: skip
def test_what_is_no_answer_of_openai(given: Json) -> None:
    with pytest.raises(Unavailable):
        ollama_embeddings_from(given, asked(), STAMP)


GOOD = asked(["a", "b"], dimensions=5, encoding_format="float")
ANSWER = {"data": [{"index": 0, "embedding": [1.5]}], "usage": {"prompt_tokens": 3}}


@given(twisted(GOOD) | any_json)
def test_a_twisted_body_is_read_or_refused(body: Any) -> None:
    refusal_of(embed_from, body, TABLE)
    refusal_of(openai_embeddings_from, body)


@given(twisted(ANSWER) | any_json, twisted({"embeddings": [[1.5]], "prompt_eval_count": 2}))
def test_a_twisted_answer_is_an_answer_or_an_error(openai: Any, native: Any) -> None:
    refusal_of(ollama_embeddings_from, openai, asked(), STAMP, error=PotokError)
    base64 = asked(encoding_format="base64")
    refusal_of(embeddings_from, native, base64, STAMP, error=PotokError)
