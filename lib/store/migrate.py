"""Bringing a database to the newest schema, from Python."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from lib.store.engine import url_from

ADVISORY_KEY = 7_150_001  # two stacks that start at once migrate one after the other


def _config(dsn: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url_from(dsn)
    return config


def is_current(dsn: str) -> bool:
    """Whether the database already has the newest schema."""
    head = ScriptDirectory.from_config(_config(dsn)).get_current_head()
    engine = create_engine(url_from(dsn))
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() == head
    finally:
        engine.dispose()


def upgrade(dsn: str) -> None:
    """Migrate the database to the newest schema; safe to repeat and to run twice at once."""
    config = _config(dsn)
    engine = create_engine(url_from(dsn))
    try:
        with engine.begin() as connection:
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": ADVISORY_KEY})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
