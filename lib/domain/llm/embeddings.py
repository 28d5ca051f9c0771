"""Embeddings: OpenAI's /v1/embeddings and Ollama's /api/embed and /api/embeddings, both ways.

The language between them is OpenAI's. An OpenAI client of an OpenAI provider needs nothing here.

Source: platform.openai.com/docs/api-reference/embeddings, read 2026-11-25; types of ollama 0.6.3,
facts read 2026-11-22.
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from typing import Any

from lib.domain.llm.checked import optional, required, texts
from lib.domain.llm.chunks import counts_in
from lib.domain.llm.dialects import Options, Stamp
from lib.domain.llm.loose import a_count, objects_among
from lib.domain.llm.ollama_answers import check_no_error
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Json
from lib.errors import Rejected, Unavailable


def embed_from(asked: Json, options: Options) -> Json:
    """The body of Ollama's ``/api/embed`` for one of /v1/embeddings.

    Raises:
        Rejected: the body is wrong.
        NotForThisModel: the input is tokens, which Ollama does not take.
    """
    if optional(asked, "encoding_format", str) not in (None, "float", "base64"):
        raise Rejected("`encoding_format` must be float or base64")
    request: Json = {"model": required(asked, "model", str), "input": _input_in(asked)}
    if (dimensions := optional(asked, "dimensions", int)) is not None:
        request["dimensions"] = dimensions
    if options.num_ctx is not None:
        request["options"] = {"num_ctx": options.num_ctx}
    if options.keep_alive is not None:
        request["keep_alive"] = options.keep_alive
    return request | (options.extra or {})


def embeddings_from(answer: Json, asked: Json, stamp: Stamp) -> Json:
    """The answer of /v1/embeddings for one of ``/api/embed``.

    Args:
        asked: the client's body; OpenAI's own SDK asks for base64 unless told otherwise.

    Raises:
        PotokError: the answer is an error, or has not one embedding for each input.
    """
    check_no_error(answer)
    rows = answer.get("embeddings")
    if not isinstance(rows, list) or len(rows) != len(_input_in(asked)):
        raise Unavailable("the provider did not give one embedding for each input")
    pack = _packed if asked.get("encoding_format") == "base64" else _checked
    tokens = a_count(answer.get("prompt_eval_count"))
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": pack(row)}
            for index, row in enumerate(rows)
        ],
        "model": stamp.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def openai_embeddings_from(body: Json) -> Json:
    """The body of /v1/embeddings for one of ``/api/embed``, or of the older ``/api/embeddings``.

    Raises:
        Rejected: the body is wrong.
    """
    request: Json = {
        "model": required(body, "model", str),
        "input": required(body, "prompt", str) if _is_old(body) else _input_in(body),
        "encoding_format": "float",
    }
    if (dimensions := optional(body, "dimensions", int)) is not None:
        request["dimensions"] = dimensions
    return request


def ollama_embeddings_from(answer: Json, asked: Json, stamp: Stamp) -> Json:
    """The answer of ``/api/embed`` or ``/api/embeddings`` for one of /v1/embeddings.

    Args:
        asked: the client's body; which of the two doors it came to is seen from it.

    Raises:
        PotokError: the answer is an error, or has no embeddings.
    """
    check_no_error(answer)
    found = sorted(objects_among(answer.get("data")), key=lambda each: a_count(each.get("index")))
    rows = [_unpacked(each.get("embedding")) for each in found]
    if not rows:
        raise Unavailable("the provider gave no embeddings")
    if _is_old(asked):
        return {"embedding": rows[0]}
    return {
        "model": stamp.model,
        "embeddings": rows,
        "total_duration": 0,
        "load_duration": 0,
        "prompt_eval_count": counts_in(answer)[0],
    }


def _is_old(body: Json) -> bool:
    return "prompt" in body and "input" not in body


def _input_in(asked: Json) -> list[str]:
    found = asked.get("input")
    if isinstance(found, list) and any(isinstance(each, int | list) for each in found):
        raise NotForThisModel("`input` must be a text or a list of texts: tokens are not taken")
    if not any(inputs := texts(asked, "input")):  # for an empty text Ollama gives nothing at all
        raise Rejected("`input` is missing or empty")
    return inputs


def _checked(row: Any) -> list[float]:
    """A row of an answer; its numbers are not looked at one by one, for there are thousands."""
    if not isinstance(row, list) or not row:
        raise Unavailable("the provider gave an embedding without numbers")
    return row


def _packed(row: Any) -> str:
    """A row as base64 of float32, little-endian, as OpenAI gives it."""
    numbers = _checked(row)
    try:
        return b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
    except (struct.error, OverflowError) as exc:
        raise Unavailable("the provider gave an embedding that is not of numbers") from exc


def _unpacked(row: Any) -> list[float]:
    """A row as numbers, also where the provider gave base64 all the same."""
    if not isinstance(row, str):
        return _checked(row)
    try:
        return _checked([number for (number,) in struct.iter_unpack("<f", b64decode(row))])
    except (struct.error, ValueError) as exc:
        raise Unavailable("the provider gave an embedding that is not of numbers") from exc
