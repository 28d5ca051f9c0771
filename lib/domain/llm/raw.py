"""A client's own bytes with another model in them: what a provider caches by must not change."""

from __future__ import annotations

import re

import orjson

from lib.domain.llm.wire import Json

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
    return orjson.dumps(body | {"model": model})
