"""News between flows, by way of the inbox: kept until it is worked on, in batches of many.

An event names what changed, by id, and says nothing of how: whoever takes it reads that itself.
Its lane and person are its own, so that it never waits for a person's messages, nor they for it.
"""

from __future__ import annotations

from lib.store.inbox import NewDelivery

SCORING, CALLS, UPKEEP = "scoring/main", "calls/main", "upkeep/main"


def lead_changed(lead_id: int, cause: str) -> NewDelivery:
    """One of our leads changed; ``cause`` is the key of what changed it."""
    return event(SCORING, f"lead:{lead_id}", {"lead_id": lead_id}, cause)


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
