"""The items of a Responses answer as they grow: thoughts, a message, calls; an event at each step.

Source: platform.openai.com/docs/api-reference/responses-streaming, openai 3.57 types, read
2026-11-25.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import orjson

from lib.domain.llm.wire import Json


class Tell(Protocol):
    """What becomes of an event: its type without ``response.``, and its fields."""

    def __call__(self, kind: str, **fields: object) -> None:
        """Send it on."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How the text of an item is told.

    Attributes:
        event: of its deltas; ``.delta`` and ``.done`` follow.
        key: of the whole text, in the ``.done`` event and in the part.
        holder: the field of the item that lists its parts; "" when the text has no part.
        part_event: of the part; ``.added`` and ``.done`` follow.
        part: the part but for its text.
        more: further fields of the text's events.
    """

    event: str
    key: str
    holder: str = ""
    part_event: str = ""
    part: Json = field(default_factory=dict)
    more: Json = field(default_factory=dict)


THOUGHT = Shape(
    *("reasoning_summary_text", "text", "summary", "reasoning_summary_part"),
    part={"type": "summary_text"},
)
TEXT = Shape(
    *("output_text", "text", "content", "content_part"),
    part={"type": "output_text", "annotations": [], "logprobs": []},
    more={"logprobs": []},
)
REFUSAL = Shape("refusal", "refusal", "content", "content_part", part={"type": "refusal"})
CALL = Shape("function_call_arguments", "arguments")


@dataclass(slots=True, eq=False)
class Item:
    """One item of the output; ``body`` is whole once it is closed."""

    shape: Shape
    index: int
    body: Json
    tell: Tell
    details: list[Json] = field(default_factory=list)
    _pieces: list[str] = field(default_factory=list)

    def open(self) -> None:
        """Tell that it begins."""
        self.tell("output_item.added", output_index=self.index, item=self.body)

    def write(self, text: str) -> None:
        """Tell a piece of its text; the first one opens its part."""
        if self.shape.part_event and not self._pieces:
            self.tell(f"{self.shape.part_event}.added", **self._place(), part=self._part(""))
        self._pieces.append(text)
        self.tell(f"{self.shape.event}.delta", **self._place(), **self.shape.more, delta=text)

    def close(self, status: str) -> None:
        """Tell its whole text and that it ends; ``status`` is completed or incomplete."""
        shape, place = self.shape, self._place()
        if shape is CALL and not self._pieces:
            self.write("{}")
        text = "".join(self._pieces)
        if self._pieces:
            self.tell(f"{shape.event}.done", **place, **shape.more, **{shape.key: text})
        if self._pieces and shape.holder:
            self.tell(f"{shape.part_event}.done", **place, part=self._part(text))
            self.body[shape.holder] = [self._part(text)]
        if shape is CALL:
            self.body["arguments"] = text
        if shape is THOUGHT:
            self.body["encrypted_content"] = sealed(self.details) if self.details else None
        else:
            self.body["status"] = status
        self.tell("output_item.done", output_index=self.index, item=self.body)

    def _place(self) -> Json:
        place = {"item_id": self.body["id"], "output_index": self.index}
        if self.shape.holder:
            place[f"{self.shape.holder}_index"] = 0
        return place

    def _part(self, text: str) -> Json:
        return {**self.shape.part, self.shape.key: text}


def sealed(details: list[Json]) -> str:
    """What a client carries to and fro as ``encrypted_content``: the details, their pieces joined.

    Args:
        details: ``reasoning_details`` of deltas; pieces of one text share type and index.
    """
    joined: dict[object, Json] = {}
    for at, piece in enumerate(details):
        index = piece.get("index")
        place = at if index is None else (str(piece.get("type")), str(index))
        whole = joined.setdefault(place, {})
        for key, value in piece.items():
            if key in ("text", "summary", "data") and isinstance(value, str):
                value = str(whole.get(key) or "") + value
            if value is not None or key not in whole:
                whole[key] = value
    return orjson.dumps(list(joined.values())).decode()


def unsealed(text: str) -> list[Json]:
    """The details again; [] for what was sealed elsewhere."""
    try:
        details = orjson.loads(text)
    except orjson.JSONDecodeError:
        return []
    known = isinstance(details, list) and all(isinstance(one, dict) for one in details)
    return details if known else []
