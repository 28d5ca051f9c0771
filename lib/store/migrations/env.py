"""Alembic's entry: the connection comes from ``lib.store.migrate``."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

import lib.store.tables  # noqa: F401 — fills the metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata
)
with context.begin_transaction():
    context.run_migrations()
