"""What the inbox takes: messages, and news between flows, kept until they are worked on.

An event names what changed, by id, and says nothing of how: whoever takes it reads that itself.
Its lane and person are its own, so that it never waits for a person's messages, nor they for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from lib.domain.inbound import InboundMessage
from lib.store.inbox import CHANNEL, GIVEN, NEW, NewDelivery

_NOTIFY = "select pg_notify(:channel, '') from (select from new limit 1) as any_new"

# One that waits will be worked on after this transaction, and by what this transaction writes: it
# cannot be claimed while its row is locked. One that is being claimed is not seen, and said again.
_ANNOUNCE = text(
    f"""
    with {GIVEN.format(rows=":new")}, waiting as (
      select lane from deliveries where lane in (select lane from given) and state = 'received'
      for update skip locked
    ), {NEW.format(where="where lane not in (select lane from waiting)")}
    {_NOTIFY}
    """  # noqa: S608 — of our own words
)

# The inbox's own promise: a second copy of a key does nothing.
_DELIVER = text(f"with {GIVEN.format(rows=':new')}, {NEW.format(where='')} {_NOTIFY}")

LEADS, TRANSCRIPTS = "leads/main", "transcripts/main"
SCORING, CALLS, UPKEEP = "scoring/main", "calls/main", "upkeep/main"


def lead_changed(lead_id: int, cause: str) -> NewDelivery:
    """One of our leads changed; ``cause`` is the key of what changed it."""
    return event(SCORING, f"lead:{lead_id}", {"lead_id": lead_id}, cause)


def message_delivery(message: InboundMessage, raw: str) -> NewDelivery:
    """A message as the inbox keeps it, for the flow that reads messages.

    Args:
        message: what is read.
        raw: what people are shown of it, such as the body as it came.
    """
    return NewDelivery(
        key=message.event_id,
        deployment=LEADS,
        source=message.source,
        lane=message.lane,
        person=message.person,
        message=message.model_dump(mode="json"),
        raw=raw,
    )


def event(deployment: str, about: str, message: dict[str, object], cause: str) -> NewDelivery:
    """An event for a flow.

    Args:
        deployment: who works on it.
        about: what it is about; events of the same are worked on in their order.
        message: what the flow is given, ids alone.
        cause: what makes it this event and no other: the same one twice is one.
    """
    flow = deployment.partition("/")[0]
    lane = f"{flow}:{about}"
    return NewDelivery(f"{lane}:{cause}", deployment, "potok", lane, lane, message, "{}")


async def deliver(connection: AsyncConnection, deliveries: Sequence[NewDelivery]) -> None:
    """Put messages into the inbox by a transaction, each whatever else waits in its lane."""
    if deliveries:
        new = orjson.dumps(list(deliveries)).decode()
        await connection.execute(_DELIVER, {"new": new, "channel": CHANNEL})


async def announce(connection: AsyncConnection, events: Sequence[NewDelivery]) -> None:
    """Put events into the inbox by a transaction: they are there when its changes are.

    One of the same thing for the same flow that nobody has begun with yet is enough.
    """
    if events:
        new = orjson.dumps(list(events)).decode()
        await connection.execute(_ANNOUNCE, {"new": new, "channel": CHANNEL})
