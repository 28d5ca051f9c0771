from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from deployments.stack.postgres import EmbeddedPostgres
from lib.store import lead_tables, tables
from lib.store.engine import url_from
from lib.store.migrate import is_current, upgrade

ROOT = Path(__file__).resolve().parents[2]
UPGRADE = "import sys; from lib.store.migrate import upgrade; upgrade(sys.stdin.read())"


def test_two_stacks_that_start_at_once_migrate_one_after_the_other(
    postgres: EmbeddedPostgres, postgres_dsn: str
) -> None:
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("create database fresh")
    dsn = postgres.dsn("fresh")
    assert not is_current(dsn)
    stacks = [
        subprocess.Popen([sys.executable, "-c", UPGRADE], cwd=ROOT, stdin=subprocess.PIPE)
        for _ in range(2)
    ]
    for stack in stacks:
        assert stack.stdin is not None
        stack.stdin.write(dsn.encode())
        stack.stdin.close()
    assert [stack.wait(timeout=60) for stack in stacks] == [0, 0]
    assert is_current(dsn)
    upgrade(dsn)  # and again, which does nothing
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("drop database fresh with (force)")


def test_the_migrations_make_the_tables_that_the_code_names(database: str) -> None:
    for table in (tables.Lead, lead_tables.Score):
        assert table.metadata is SQLModel.metadata
    engine = create_engine(url_from(database))
    with engine.connect() as connection:
        # The tables of models and of speech are named in SQL alone, in their migrations.
        opts = {"compare_type": False, "include_name": _is_of_a_class}
        context = MigrationContext.configure(connection, opts=opts)
        differences = compare_metadata(context, SQLModel.metadata)
    engine.dispose()
    assert differences == []


def _is_of_a_class(name: str | None, kind: str, parents: dict[str, str | None]) -> bool:
    return not (kind == "table" and (name or "").startswith(("llm_", "speech_", "transcripts")))


def test_an_address_in_either_form_is_the_same() -> None:
    by_url = url_from("postgresql://potok:p%40ss@127.0.0.1:5440/potok?sslmode=disable")
    by_words = url_from(
        "user=potok password=p@ss host=127.0.0.1 port=5440 dbname=potok sslmode=disable"
    )
    assert by_url == by_words
    assert (by_url.password, by_url.query["sslmode"]) == ("p@ss", "disable")
    assert url_from("dbname=potok").host is None
