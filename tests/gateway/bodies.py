"""Hostile webhook bodies: good ones twisted by a seeded generator."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import orjson

from tests.domain.making import update
from tests.gateway.doors import contract

TEXTS = (
    "",
    " ",
    "нужен кредит 5 млн, +7 916 123-45-67",
    "\x00",
    "a\x00b",
    "\u202e\ufeff\u2060\x85",
    "👨‍👩‍👧‍👦" * 50,
    "ﷺ" * 300,
    "Z̷͎̈́" * 80,
    "x" * 20_000,
    "9" * 5000,
    "+" + "7" * 60,
    "$result[add][item][id]",
    "[b]жирный[/b] <script>alert(1)</script> &amp;",
    "'; drop table deliveries; --",
    "{}{{%s}}%n",
    "a@b." * 200,
    "1" + " 000" * 400,
    "5 млн " * 400,
    "http://xn--p1ai/" * 30,
    "private",
    "channel",
    "-1001234567890",
    "2026-11-22T09:00:00Z",
)
NUMBERS = (
    *(0, 1, -1, 7, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, 1e308, -1e308, 0.5, 1e-320),
    *(1_763_800_000, 1_763_800_000_000, -1_001_234_567_890, -4_001_234_567_890),
)
# What no serialiser of ours would write, put in place of a marker.
RAW = (
    b"1e400",
    b"-0",
    b"0" * 30 + b"1",
    b"9" * 400,
    b"NaN",
    b"Infinity",
    b"\xff\xfe",
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\\u0000"',
    b'"\xed\xa0\x80"',
    b"[" * 600 + b"]" * 600,
    b"[" * 5000 + b"]" * 5000,
    b'{"a":' * 900 + b"1" + b"}" * 900,
    b'{"a":1,"a":2}',
    b'"\x01"',
    b"",
)
MARKER = "put-raw-here"

FLAT = {
    "chat_id": -1001234567890,
    "message_id": 8,
    "date": 1_763_800_000,
    "text": "нужен кредит",
    "sender_id": 7,
    "sender_name": "Анна",
    "media": [{"type": "photo", "file_id": "A"}],
}
NESTED = {
    "source": {"channel_id": 77, "channel_name": "Новости", "message_id": 9, "topic_id": 1},
    "message": {"text": "нужен кредит", "author": "Анна", "media_type": "photo"},
    "receiver": {"name": "office"},
    "timestamp": "2026-11-22T09:00:00Z",
}
RICH = update(
    "нужен кредит",
    contact={"phone_number": "+79161234567", "first_name": "Анна", "user_id": 7},
    photo=[{"file_id": "A", "width": 90}, {"file_id": "B", "width": 900}],
    voice={"file_id": "V", "duration": 3, "file_size": 9000},
    reply_to_message={"message_id": 4},
    edit_date=1_763_800_100,
    message_thread_id=3,
    is_topic_message=True,
    sender_chat={"id": -1001234567890, "title": "Канал"},
    entities=[{"type": "bold", "offset": 0, "length": 5}],
)


class Bodies:
    """An endless source of bodies; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._number = 0

    def update(self) -> bytes:
        """What somebody may post to a Telegram hook."""
        key = self._random.choice(
            ("message", "edited_message", "channel_post", "business_message", "callback_query")
        )
        plain = update(self._random.choice(TEXTS), key)
        return self._posted(self._random.choice((RICH, plain)), "update_id")

    def message(self) -> bytes:
        """What somebody may post to the forwarder's hook."""
        flat, rich = copy.deepcopy(FLAT), copy.deepcopy(RICH)
        return self._posted(
            self._random.choice((contract(), contract(kind="edited"), flat, NESTED, rich)),
            "message_id",
        )

    def _posted(self, good: dict[str, Any], number: str) -> bytes:
        body = copy.deepcopy(good)
        self._number += 1
        if self._random.random() < 0.8:
            _renumber(body, number, self._number)
        return self.twisted(body)

    def twisted(self, good: dict[str, Any]) -> bytes:
        """A good body with some things changed, or none."""
        body = copy.deepcopy(good)
        for _ in range(self._random.choice((0, 1, 1, 2, 3, 6))):
            self._twist(body)
        raw = orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS)
        marked = orjson.dumps(MARKER)
        while marked in raw:
            raw = raw.replace(marked, self._random.choice(RAW), 1)
        return self._mangled(raw)

    def _twist(self, body: dict[str, Any]) -> None:
        """Change one thing somewhere inside."""
        places = list(_places(body))
        if not places:
            return
        holder, key = self._random.choice(places)
        what = self._random.random()
        if what < 0.15 and isinstance(holder, dict):
            del holder[key]
        elif what < 0.25 and isinstance(holder, dict):
            holder[self._random.choice(TEXTS)[:300]] = holder.pop(key)
        elif what < 0.35:
            other, name = self._random.choice(places)
            holder[key] = copy.deepcopy(other[name])
        else:
            holder[key] = self._value()

    def _value(self) -> Any:
        kind = self._random.randrange(7)
        if kind == 0:
            return self._random.choice(TEXTS)
        if kind == 1:
            return self._random.choice(NUMBERS)
        if kind == 2:
            return self._random.choice((None, True, False, [], {}, [[]], [{}], [None], {"id": {}}))
        if kind == 3:
            return MARKER
        if kind == 4:
            return [self._random.choice(NUMBERS) for _ in range(self._random.randrange(200))]
        if kind == 5:
            return {"id": self._random.choice(NUMBERS), "type": self._random.choice(TEXTS)}
        points = (self._random.randrange(0x110000) for _ in range(self._random.randrange(60)))
        return "".join(chr(point) for point in points if not 0xD800 <= point < 0xE000)

    def _mangled(self, raw: bytes) -> bytes:
        what = self._random.random()
        if what < 0.05:
            return raw[: self._random.randrange(len(raw) + 1)]
        if what < 0.10:
            broken = bytearray(raw)
            for _ in range(self._random.randrange(1, 5)):
                broken[self._random.randrange(len(broken))] = self._random.randrange(256)
            return bytes(broken)
        if what < 0.12:
            return self._random.randbytes(self._random.randrange(3000))
        if what < 0.13:
            return self._random.choice(RAW)
        if what < 0.15:
            return self._random.choice((b"\xef\xbb\xbf", b" \n", b"[", b"x")) + raw
        return raw


def _places(value: Any) -> Any:
    """Every (holder, key) inside."""
    named = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(named):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def _renumber(body: dict[str, Any], name: str, number: int) -> None:
    """A number of its own, so that few are duplicates."""
    for holder, key in _places(body):
        if key == name or (key == "id" and holder is body.get("message")):
            holder[key] = number
