"""A client's own bytes with another model in them: what a provider caches by must not change."""

from __future__ import annotations

import re

import orjson

from lib.domain.llm.wire import Json
from lib.errors import Rejected, Unavailable

_ESCAPED = b"\\u006"  # how every letter of "model" begins when it is escaped
_MODEL = re.compile(rb'"model"\s*:\s*"')


def with_model(raw: bytes, body: Json, model: str) -> bytes:
    """The body with this model, else byte for byte as it came.

    Where it is not certain which bytes are the model's name (a key twice, one inside another
    object, an escaped letter) the body is written anew: the key's rights are for what was read.

    Args:
        raw: the JSON as it came.
        body: what was read in it.
        model: the provider's name of the model.
    """
    name = orjson.dumps(body["model"])
    found = _MODEL.search(raw)
    if found and raw.count(b'"model"') == 1 and _ESCAPED not in raw:
        start = found.end() - 1
        if raw[start : start + len(name)] == name:
            return raw[:start] + orjson.dumps(model) + raw[start + len(name) :]
    return dumped(body | {"model": model})


def dumped(value: Json, *, is_sorted: bool = False) -> bytes:
    """JSON; ``is_sorted``: the same for equal values.

    Raises:
        Rejected: it is nested too deeply to be written, or a text in it is no UTF-8.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if is_sorted else None)
    except orjson.JSONEncodeError as exc:
        raise Rejected("the body is nested too deeply, or a text in it is no UTF-8") from exc


def written(value: Json) -> bytes:
    """A provider's answer for a client; raises Unavailable where ``dumped`` raises Rejected."""
    try:
        return dumped(value)
    except Rejected as exc:
        raise Unavailable("the provider's answer is nested too deeply, or no UTF-8") from exc


def object_of(raw: bytes) -> Json:
    """A provider's answer as a JSON object; raises Unavailable when it is none."""
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise Unavailable("the provider's answer is no JSON") from exc
    if not isinstance(found, dict):
        raise Unavailable("the provider's answer is no JSON object")
    return found
