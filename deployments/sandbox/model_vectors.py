"""Embeddings of the stand-ins: a text's hash as a direction."""

from __future__ import annotations

import hashlib
import math
import random
from array import array
from functools import lru_cache
from typing import Any

from deployments.sandbox.refusals import Refused

SIZE = 768


@lru_cache(maxsize=256)
def vector_of(text: str, size: int = SIZE) -> array[float]:
    """float32[size] of length 1; the same text has the same one, another text any other."""
    chance = random.Random(hashlib.sha256(text.encode("utf-8", "replace")).digest())
    numbers = [chance.gauss(0, 1) for _ in range(size)]
    length = math.hypot(*numbers)
    return array("f", (number / length for number in numbers))


def inputs_in(body: dict[str, Any]) -> tuple[list[str], int]:
    """The texts to embed, and how many numbers each vector is to have.

    Raises:
        Refused: ``input`` is no text and no list of texts, or ``dimensions`` is out of range.
    """
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused(400, "invalid input type: 'input' is a string or an array of strings")
    size = body.get("dimensions") or SIZE
    if not isinstance(size, int) or not 1 <= size <= SIZE:
        raise Refused(400, f"'dimensions' is a whole number from 1 to {SIZE}")
    return texts, size
