"""What every test may ask for: a real PostgreSQL, and a database of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings

from deployments.settings import Settings, variable_of
from deployments.stack.postgres import EmbeddedPostgres
from lib.store.migrate import upgrade
from tests.stack_running import stack as stack
from tests.support import free_port

# Losing a test's data in a power cut costs nothing.
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
TEMPLATE = "potok_template"
hypothesis_settings.register_profile("potok", deadline=None)  # a busy machine breaks no rule
hypothesis_settings.load_profile("potok")
numbers = count(1)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in this very hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two processes share the tests by module; all of the live stack are in one, and come first."""
    for item in items:
        live = "stack" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("stack" if live else item.nodeid.split("::")[0]))
    items.sort(key=lambda item: "stack" not in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def _no_environment() -> Iterator[None]:
    """Keep the variables and the .env of whoever runs the tests out of them."""
    variables = {variable_of(field) for field in Settings.model_fields}
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.upper() in variables or name.startswith(("POTOK_", "PREFECT_")):
                patch.delenv(name)
        patch.setitem(Settings.model_config, "env_file", None)
        yield


@pytest.fixture(scope="session")
def open_dir() -> Iterator[Path]:
    """A directory that PostgreSQL's OS user can pass; pytest's own are closed to it."""
    path = Path(tempfile.mkdtemp(prefix="potok-test-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
async def postgres(open_dir: Path) -> AsyncIterator[EmbeddedPostgres]:
    """One PostgreSQL for the whole session, on a free port."""
    server = EmbeddedPostgres(open_dir / "session", free_port(), CARELESS)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="session")
def postgres_dsn(postgres: EmbeddedPostgres) -> str:
    """The address of the server's maintenance database, with the right to create databases."""
    return postgres.dsn("postgres")


@pytest.fixture(scope="session")
def template(postgres: EmbeddedPostgres, postgres_dsn: str) -> str:
    """The name of a migrated, empty database."""
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"create database {TEMPLATE}")
    upgrade(postgres.dsn(TEMPLATE))
    return TEMPLATE


@pytest.fixture(scope="module")
def database(postgres: EmbeddedPostgres, postgres_dsn: str, template: str) -> Iterator[str]:
    """The DSN of a fresh, migrated database for one module."""
    name = f"potok_{next(numbers)}"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}")
        yield postgres.dsn(name)
        connection.execute(f"drop database {name} with (force)")
