"""People who write to the bot: each one new, with a name, a phone and a chat of their own."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Any

import orjson

from tests.bench.load import request_from

NAMES = ("Ирина Соколова", "Павел Громов", "Марина Белова", "Олег Тихонов", "Анна Лебедева")


@dataclass(frozen=True, slots=True)
class Person:
    """A person by number; no two have a number in common."""

    number: int

    @property
    def name(self) -> str:
        """First name and family name."""
        return NAMES[self.number % len(NAMES)]

    @property
    def phone(self) -> str:
        """As E.164."""
        return f"+79{self.number % 1_000_000_000:09}"

    @property
    def update(self) -> dict[str, Any]:
        """What Telegram posts when this person writes: a name, a sum, a phone typed by hand."""
        digits = self.phone[2:]
        phone = f"8 ({digits[:3]}) {digits[3:6]}-{digits[6:8]}-{digits[8:]}"
        first, last = self.name.split()
        person = {"id": self.number, "first_name": first, "last_name": last}
        return {
            "update_id": self.number,
            "message": {
                "message_id": 1,
                "date": int(time.time()),
                "chat": {**person, "type": "private"},
                "from": {**person, "is_bot": False, "language_code": "ru"},
                "text": f"Здравствуйте! Меня зовут {self.name}. Нужен кредит 5 млн руб. на закупку "
                f"оборудования, можно под залог склада. Перезвоните после обеда: {phone}",
            },
        }

    def request(self, bot: str, secret: str) -> bytes:
        """The webhook's whole HTTP request."""
        headers = {"x-telegram-bot-api-secret-token": secret}
        return request_from("POST", f"/hooks/telegram/{bot}", orjson.dumps(self.update), headers)


class People:
    """Ever new people, also in a database that an earlier session has filled."""

    def __init__(self) -> None:
        # By the millisecond: no session sends a thousand a second for as long as it has lasted.
        self._numbers = itertools.count(int(time.time() * 1000) % 900_000_000 + 10_000)

    def some(self, count: int) -> list[Person]:
        """So many people who were never here before."""
        return [Person(number) for number in itertools.islice(self._numbers, count)]
