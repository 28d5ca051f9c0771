"""PostgreSQL's errors tell a type and a SQLSTATE, and nothing of the row they are about."""

from __future__ import annotations

import traceback

import pytest
from sqlalchemy import text

from deployments.stack.postgres import EmbeddedPostgres
from lib.errors import PotokError, Unavailable
from lib.store.engine import Database
from lib.store.failures import NoTables, StatementFailed
from lib.store.inbox import Inbox

from .making import arriving, rows

PHONE = "+79165410897"
STATEMENTS = {
    "NotNullViolation, SQLSTATE 23502": "insert into deliveries (key) values ({})",
    "InvalidTextRepresentation, SQLSTATE 22P02": "select cast({} as text)::uuid",
    "UndefinedColumn, SQLSTATE 42703": "select nobody, {} from deliveries",
}


def told(error: BaseException) -> str:
    """All that a log would have of it."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(("kind", "statement"), STATEMENTS.items())
async def test_a_transaction_that_is_refused_tells_no_row(
    db: Database, kind: str, statement: str
) -> None:
    with pytest.raises(StatementFailed) as caught:
        await rows(db, statement.format(":phone"), phone=PHONE)
    assert str(caught.value) == f"the database refuses a statement: {kind}"
    assert PHONE not in told(caught.value)


@pytest.mark.parametrize(("kind", "statement"), STATEMENTS.items())
async def test_a_statement_on_a_session_that_is_refused_tells_no_row(
    db: Database, kind: str, statement: str
) -> None:
    with pytest.raises(StatementFailed) as caught:
        async with db.autocommit() as session:
            await session.execute(statement.format("%s"), (PHONE,))  # type: ignore[arg-type]
    assert str(caught.value) == f"the database refuses a statement: {kind}"
    assert PHONE not in told(caught.value)


async def test_a_value_that_the_driver_refuses_is_not_told(db: Database) -> None:
    for statement in ("select cast(:phone as text)", "select cast(:phone as uuid)"):
        with pytest.raises(StatementFailed) as caught:
            await rows(db, statement, phone=f"{PHONE}\x00")
        assert PHONE not in told(caught.value)


async def test_a_database_that_went_away_tells_no_parameters(db: Database) -> None:
    with pytest.raises(Unavailable, match="the database is away: AdminShutdown") as caught:
        await rows(db, "select pg_terminate_backend(pg_backend_pid()), :phone", phone=PHONE)
    assert PHONE not in told(caught.value)


async def test_a_database_that_takes_no_writes_is_away(db: Database) -> None:
    async def written() -> None:
        async with db.transaction() as connection:
            await connection.execute(text("set transaction read only"))
            await connection.execute(text("update deliveries set state = 'done'"))

    with pytest.raises(Unavailable, match="ReadOnlySqlTransaction"):
        await written()


async def test_a_database_without_tables_is_told_as_such(db: Database) -> None:
    with pytest.raises(NoTables, match="no tables yet"):
        await rows(db, "select * from nothing where phone = :phone", phone=PHONE)


def test_nobody_knows_whether_a_retry_helps() -> None:
    assert not issubclass(StatementFailed, PotokError)


async def test_the_log_of_the_embedded_server_has_no_row(
    db: Database, postgres: EmbeddedPostgres
) -> None:
    with pytest.raises(StatementFailed):
        await rows(db, "insert into deliveries (key) values (:phone)", phone="+70000000001")
    log = (postgres.home / "log" / "postgres.log").read_text()
    assert 'null value in column "deployment"' in log
    assert "+70000000001" not in log
    assert await Inbox(db).accept(arriving())
