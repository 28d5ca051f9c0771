"""The channels of PostgreSQL by which processes wake each other. Wake-ups are hints: all poll."""

from __future__ import annotations

INBOX = "potok_inbox"  # a delivery was committed, or a batch was closed: the dispatchers look
RUNS = "potok_runs"  # a flow run was scheduled: the worker asks Prefect at once
