"""Messages for tests, and the JSON that hypothesis throws at the readers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from hypothesis import strategies as st

from lib.domain.inbound import Body, Chat, InboundMessage, Media, Sender, SharedContact
from lib.errors import Rejected

T0 = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def inbound(
    text: str = "",
    *,
    message_id: int = 1,
    at: timedelta = timedelta(),
    sender: Sender | None = None,
    kind: Literal["new", "edited", "deleted"] = "new",
    contact: SharedContact | None = None,
    media: tuple[Media, ...] = (),
) -> InboundMessage:
    """A message in the private chat 7, ``at`` after T0."""
    return InboundMessage(
        event_id=f"telegram:main:{message_id}",
        source="telegram",
        account="main",
        kind=kind,
        occurred_at=T0 + at,
        chat=Chat(id=7),
        message=Body(id=message_id, text=text),
        sender=sender or Sender(id=7, display_name="Анна П."),
        contact=contact,
        media=media,
    )


def update(text: str = "Здравствуйте", key: str = "message", **fields: Any) -> dict[str, Any]:
    """A Bot API update with a text message."""
    return {
        "update_id": 10,
        key: {
            "message_id": 5,
            "date": 1_763_800_000,
            "chat": {"id": 7, "type": "private", "first_name": "Анна"},
            "from": {"id": 7, "is_bot": False, "first_name": "Анна", "last_name": "Петрова"},
            "text": text,
        }
        | fields,
    }


any_text = st.text(st.characters(exclude_categories=()), max_size=40)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | any_text
    | st.sampled_from(
        ["1", "-1001234567890", "private", "channel", "9" * 5000, "2026-11-22T09:00Z"]
    )
)
any_json = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def twisted(draw: st.DrawFn, body: Any) -> Any:
    """A good body in which some values are replaced by arbitrary JSON, or left out."""
    if isinstance(body, dict) and draw(st.integers(0, 9)):
        kept = {key: value for key, value in body.items() if draw(st.integers(0, 19))}
        return {key: draw(twisted(value)) for key, value in kept.items()}
    return body if draw(st.integers(0, 7)) else draw(any_json)


def read_or_reason(read: Callable[[Any], InboundMessage | None], body: Any) -> str:
    """What a reader makes of a body, or the reason why it refuses it; no other error passes."""
    try:
        message = read(body)
    except Rejected as refused:
        return str(refused)
    return message.model_dump_json() if message else ""


def is_storable(text: str) -> bool:
    """Whether PostgreSQL takes a text."""
    text.encode("utf-8")
    return "\x00" not in text
