from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.domain.forwarder import SCHEMA, marked_id, message_from_forwarder
from lib.domain.inbound import InboundMessage
from lib.errors import Rejected

from .making import any_json, is_storable, read_or_reason, twisted, update

CONTRACT: dict[str, Any] = {
    "schema": SCHEMA,
    "event_id": "tgmt:-1001234567890:812:0",
    "source": "telegram_mtproto",
    "account": "user:42",
    "kind": "new",
    "occurred_at": "2026-11-22T09:00:00Z",
    "chat": {"id": -1001234567890, "type": "supergroup", "title": "Клиенты", "topic_id": None},
    "message": {
        "id": 812,
        "grouped_id": 5,
        "reply_to_id": 811,
        "edit_date": None,
        "text": "Кредит",
    },
    "sender": {"id": 77, "type": "user", "display_name": "Анна", "phone": "79161234567"},
    "media": [
        {"kind": "voice", "mime": "audio/ogg", "size": 123, "duration": 3, "url": "https://x/y"}
    ],
}
NESTED: dict[str, Any] = {
    "event_type": "message_forwarded",
    "timestamp": "2026-11-22T09:00:00Z",
    "source": {
        "channel_id": 1234567890,
        "channel_name": "Заявки",
        "message_id": 812,
        "topic_id": None,
    },
    "destination": {"channel_id": 5},
    "message": {"text": "Кредит", "author": None, "has_media": True, "media_type": "photo"},
    "receiver": {"name": "main"},
}
FLAT: dict[str, Any] = {
    "chat_id": -1001234567890,
    "message_id": 812,
    "text": "Кредит",
    "sender": "Анна",
    "date": 1763800000,
}


def test_contract() -> None:
    message = message_from_forwarder(CONTRACT)
    assert message.event_id == "forwarder:-1001234567890:812:0"
    assert message.source == "forwarder"
    assert message.account == "user:42"
    assert (message.message.grouped_id, message.message.reply_to_id) == ("5", 811)
    assert (message.sender.id, message.sender.phone) == (77, "79161234567")
    [voice] = message.media
    assert (voice.kind, voice.size_bytes, voice.duration_s) == ("voice", 123, 3)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (CONTRACT, "Кредит"),
        (NESTED, "Кредит"),
        (FLAT, "Кредит"),
        (
            {
                "channel_id": "1234567890",
                "id": "812",
                "message": "Кредит",
                "timestamp": "1763800000",
            },
            "Кредит",
        ),
        (
            update("Кредит", message_id=812, chat={"id": -1001234567890, "type": "supergroup"}),
            "Кредит",
        ),
    ],
)
def test_every_shape_gives_the_same_event(body: dict[str, Any], text: str) -> None:
    message = message_from_forwarder(body)
    assert message.event_id == "forwarder:-1001234567890:812:0"
    assert message.source == "forwarder"
    assert message.message.text == text


@pytest.mark.parametrize("chat_id", [7, -55])
def test_chats_numbered_per_account_have_it_in_the_key(chat_id: int) -> None:
    chat = {"id": chat_id, "type": "private" if chat_id > 0 else "group"}
    message = message_from_forwarder(CONTRACT | {"chat": chat})
    assert message.event_id == f"forwarder:user:42:{chat_id}:812:0"


def test_an_edit_and_a_deletion_are_events_of_their_own() -> None:
    body = CONTRACT["message"] | {"edit_date": "2026-11-22T10:00:00Z"}
    edited = message_from_forwarder(CONTRACT | {"kind": "edited", "message": body})
    undated = message_from_forwarder(CONTRACT | {"kind": "edited"})
    deleted = message_from_forwarder(CONTRACT | {"kind": "deleted", "message": {"id": 812}})
    assert edited.event_id == "forwarder:-1001234567890:812:1795341600"
    assert undated.message.edited_at == undated.occurred_at
    assert deleted.event_id == "forwarder:-1001234567890:812:deleted"
    assert edited.ref == deleted.ref == message_from_forwarder(CONTRACT).ref


@pytest.mark.parametrize("kind", ["channel", "supergroup"])
def test_bare_ids_are_marked(kind: str) -> None:
    message = message_from_forwarder(CONTRACT | {"chat": {"id": 1234567890, "type": kind}})
    assert message.chat.id == -1001234567890


@given(st.integers(1, 10**12 - 1))
def test_marking_twice_changes_nothing(bare: int) -> None:
    marked = marked_id(bare, "channel")
    assert str(marked).startswith("-100") or bare >= 10**10
    assert marked_id(marked, "channel") == marked


def test_people_known_by_name_only_are_told_apart() -> None:
    persons = {message_from_forwarder(FLAT | {"sender": name}).person for name in ("Анна", "Иван")}
    again = message_from_forwarder(FLAT | {"message_id": 900}).person
    assert len(persons) == 2
    assert again in persons


@pytest.mark.parametrize(
    "fields",
    [
        {"sender": {"id": 77, "first_name": "Анна"}},
        {"sender": None, "sender_id": 77, "sender_name": "Анна"},
        {"sender": None, "from": {"id": 77, "name": "Анна"}},
        {"sender": None, "from_id": "77", "sender_name": "Анна"},
        {"sender": 77, "sender_name": "Анна"},
    ],
)
def test_flat_spellings_of_a_sender(fields: dict[str, Any]) -> None:
    message = message_from_forwarder(FLAT | fields)
    assert (message.sender.id, message.sender.display_name) == (77, "Анна")


def test_milliseconds_and_seconds_are_the_same_moment() -> None:
    seconds = message_from_forwarder(FLAT)
    assert message_from_forwarder(FLAT | {"date": 1763800000000}).occurred_at == seconds.occurred_at


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("text", "body is not a JSON object"),
        ({"schema": "inbound_message.v2"}, "body.schema is not inbound_message.v1"),
        ({}, "body.chat_id is missing"),
        (FLAT | {"date": None}, "body.date is missing"),
        (FLAT | {"text": {"a": 1}}, "body.text is not a text"),
        (FLAT | {"chat_id": -(2**62)}, "out of Telegram's range"),
        (CONTRACT | {"kind": "moved"}, "body.kind is not one of"),
        (CONTRACT | {"message": None}, "body.message is missing"),
        ({"update_id": 1, "poll": {}}, "no message that can be read"),
    ],
)
def test_reasons_say_what_is_wrong(body: Any, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        message_from_forwarder(body)


@given(any_json | st.one_of(*(twisted(body) for body in (CONTRACT, NESTED, FLAT, update()))))
@settings(max_examples=300)
def test_any_json_is_read_or_rejected(body: Any) -> None:
    read = read_or_reason(message_from_forwarder, body)
    assert is_storable(read)
    if read.startswith("{"):
        message = InboundMessage.model_validate_json(read)
        assert len(message.event_id) < 200
        assert -(2**63) <= message.sender.id < 2**63
