"""The same database fixtures as the store's."""

from __future__ import annotations

from tests.store.conftest import _empty_tables, db

__all__ = ["_empty_tables", "db"]
