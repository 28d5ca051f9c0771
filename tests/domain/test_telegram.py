from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.domain.telegram import message_from_update
from lib.errors import Rejected

from .making import any_json, any_text, is_storable, read_or_reason, twisted, update


def test_text_message() -> None:
    message = message_from_update("main", update("Нужен кредит"))
    assert message is not None
    assert message.event_id == "telegram:main:10"
    assert message.ref == "telegram:main:7:5"
    assert message.lane == "telegram:7"
    assert message.person == "telegram:7"
    assert message.kind == "new"
    assert message.message.text == "Нужен кредит"
    assert message.sender.display_name == "Анна Петрова"
    assert message.occurred_at.timestamp() == 1_763_800_000


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("message", "new"),
        ("edited_message", "edited"),
        ("channel_post", "new"),
        ("edited_channel_post", "edited"),
        ("business_message", "new"),
    ],
)
def test_every_kind_of_message_is_read(key: str, kind: str) -> None:
    message = message_from_update("main", update(key=key))
    assert message is not None
    assert message.kind == kind


@pytest.mark.parametrize(
    "body",
    [
        {"update_id": 1, "callback_query": {"id": "1", "data": "x"}},
        {"update_id": 1, "poll": {}},
        {"update_id": 1},
        {"update_id": 1, "message": None},
    ],
)
def test_other_kinds_are_left(body: dict[str, Any]) -> None:
    assert message_from_update("main", body) is None


def test_service_messages_are_left() -> None:
    body = update(text=None, new_chat_members=[{"id": 1}])  # type: ignore[arg-type]
    assert message_from_update("main", body) is None


def test_what_the_owner_writes_to_a_customer_is_left() -> None:
    body = update(key="business_message", **{"from": {"id": 99, "first_name": "Менеджер"}})
    assert message_from_update("main", body) is None


def test_edit_happens_when_it_is_made() -> None:
    message = message_from_update("main", update(key="edited_message", edit_date=1_763_800_100))
    assert message is not None
    assert message.occurred_at == message.message.edited_at
    assert message.occurred_at.timestamp() == 1_763_800_100


@pytest.mark.parametrize("kind", ["voice", "audio", "document", "video", "video_note", "sticker"])
def test_files(kind: str) -> None:
    file = {
        "file_id": "f",
        "file_unique_id": "u",
        "duration": 3,
        "mime_type": "a/b",
        "file_size": 9,
    }
    body = update(text=None, caption="Подпись", **{kind: file})  # type: ignore[arg-type]
    message = message_from_update("main", body)
    assert message is not None
    assert message.message.text == "Подпись"
    [media] = message.media
    assert (media.kind, media.file_id, media.mime, media.duration_s, media.size_bytes) == (
        (kind, "f", "a/b", 3, 9)
    )


def test_of_a_photo_the_largest_size_is_taken() -> None:
    sizes = [
        {"file_id": str(w), "file_unique_id": "u", "width": w, "height": 1} for w in (9, 90, 30)
    ]
    message = message_from_update("main", update(photo=sizes))
    assert message is not None
    assert [media.file_id for media in message.media] == ["90"]


def test_contact_card() -> None:
    card = {"phone_number": "79161234567", "first_name": "Анна", "user_id": 7}
    message = message_from_update("main", update(text=None, contact=card))  # type: ignore[arg-type]
    assert message is not None
    assert message.own_contact == message.contact
    assert message.contact is not None
    assert (message.contact.phone, message.contact.name) == ("79161234567", "Анна")


def test_foreign_contact_card_is_not_the_senders() -> None:
    card = {"phone_number": "79161234567", "first_name": "Иван", "user_id": 8}
    message = message_from_update("main", update(contact=card))
    assert message is not None
    assert message.own_contact is None


GROUP = {"id": -1001234567890, "type": "supergroup", "title": "Клиенты"}


@pytest.mark.parametrize(
    ("sender_chat", "kind"),
    [(GROUP, "anonymous"), ({"id": -1009, "type": "channel", "title": "К"}, "channel")],
)
def test_senders_that_are_chats(sender_chat: dict[str, Any], kind: str) -> None:
    message = message_from_update("main", update(chat=GROUP, sender_chat=sender_chat))
    assert message is not None
    assert (message.sender.type, message.sender.id) == (kind, sender_chat["id"])


def test_topic_only_when_the_message_is_in_one() -> None:
    reply = message_from_update("main", update(chat=GROUP, message_thread_id=3))
    topic = message_from_update(
        "main", update(chat=GROUP, message_thread_id=3, is_topic_message=True)
    )
    assert reply is not None
    assert topic is not None
    assert (reply.chat.topic_id, topic.chat.topic_id) == (None, 3)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([], "update is not a JSON object"),
        ({}, "update.update_id is missing"),
        ({"update_id": True}, "update.update_id is not a whole number"),
        ({"update_id": 2**63}, "update.update_id is not a whole number of 64 bits"),
        ({"update_id": 1, "message": "hi"}, "update.message is not an object"),
        (update(chat=None), "update.message.chat is missing"),
        (update(chat={"type": "private"}), "update.message.chat.id is missing"),
        (update(chat={"id": 1, "type": "secret"}), "update.message.chat.type is not one of"),
        (update(date=float("nan")), "update.message.date is not a moment"),
        (update(date=10**400), "update.message.date is not a moment"),
        (update(message_id=None), "update.message.message_id is missing"),
        (update(text=5), "update.message.text is not a text"),  # type: ignore[arg-type]
        (update(**{"from": None}), "update.message.from is missing"),
    ],
)
def test_reasons_say_what_is_wrong(body: Any, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        message_from_update("main", body)


def test_reasons_never_hold_what_was_written() -> None:
    with pytest.raises(Rejected) as caught:
        message_from_update("main", update("тайна", date="тайна"))
    assert "тайна" not in str(caught.value)


@given(any_json | twisted(update()) | twisted(update(photo=[{"file_id": "x", "width": 1}])))
@settings(max_examples=250)
def test_any_json_is_read_or_rejected(body: Any) -> None:
    assert is_storable(read_or_reason(lambda body: message_from_update("main", body), body))


@given(any_text)
def test_texts_can_be_stored(text: str) -> None:
    message = message_from_update("main", update(text + "!", chat={"id": 7, "title": text}))
    assert message is not None
    assert is_storable(message.message.text)
    assert is_storable(message.chat.title or "")


def test_surrogate_pairs_become_their_character() -> None:
    message = message_from_update("main", update("\ud83d\ude00 \ud83d \x00я"))
    assert message is not None
    assert message.message.text == "😀 \ufffd я"


@given(st.integers(1, 5000))
def test_depth_does_not_matter(depth: int) -> None:
    deep: Any = 1
    for _ in range(depth):
        deep = {"reply_to_message": deep}
    assert message_from_update("main", update(reply_to_message=deep)) is not None
