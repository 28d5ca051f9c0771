from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import psutil
import psycopg
import pytest

from deployments.stack import databases, os_user
from deployments.stack.postgres import EmbeddedPostgres
from deployments.stack.program import StartFailed
from lib.errors import Rejected, Unavailable
from tests.support import free_port, until

homes = count(1)


@pytest.fixture(scope="module")
def made(open_dir: Path) -> Path:
    """A home with data that were made and never served."""
    home = open_dir / "made"
    EmbeddedPostgres(home, free_port()).prepare()
    return home


@pytest.fixture
async def server(open_dir: Path, made: Path) -> AsyncIterator[EmbeddedPostgres]:
    home = open_dir / f"own-{next(homes)}"
    subprocess.run(["cp", "-a", made, home], check=True)
    one = EmbeddedPostgres(home, free_port())
    yield one
    await one.stop()
    assert one.serving() == []


def setting(server: EmbeddedPostgres, name: str) -> str:
    with psycopg.connect(server.dsn()) as connection:
        row = connection.execute("select current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


async def test_it_starts_stops_and_keeps_what_was_committed(server: EmbeddedPostgres) -> None:
    await server.start()
    with psycopg.connect(server.dsn()) as connection:
        connection.execute("create table kept as select 'да' as word")
    assert {name: setting(server, name) for name in ("fsync", "synchronous_commit")} == {
        "fsync": "on",
        "synchronous_commit": "on",
    }
    assert setting(server, "server_encoding") == "UTF8"
    assert setting(server, "listen_addresses") == "127.0.0.1"
    await server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.dsn(), connect_timeout=2)
    await server.start()
    with psycopg.connect(server.dsn()) as connection:
        assert connection.execute("select word from kept").fetchone() == ("да",)
    assert databases.ensure_databases(server.dsn("postgres")) == []


async def test_nobody_enters_without_the_password(server: EmbeddedPostgres) -> None:
    await server.start()
    assert server.password_path.stat().st_mode & 0o777 == 0o600
    password = server.password_path.read_text()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.dsn().replace(password, "guess"))
    with pytest.raises(Unavailable) as caught:
        databases.check_answers(server.dsn().replace(password, "hidden-guess"))
    assert "hidden-guess" not in str(caught.value)


async def test_a_first_start_that_was_killed_is_begun_again(server: EmbeddedPostgres) -> None:
    half = server.base / "data.new"
    server.data.rename(half)
    (half / "postgresql.conf").unlink()
    await server.start()
    assert not half.exists()
    assert await server.answers()


async def test_a_pid_file_that_names_a_living_stranger(server: EmbeddedPostgres) -> None:
    await server.start()
    await server.stop()
    pid_file = server.data / "postmaster.pid"
    pid_file.write_text(
        f"{os.getpid()}\n{server.data}\n1\n{server.port}\n\n127.0.0.1\n1 1\nready\n"
    )
    await server.start()
    assert await server.answers()


async def test_a_server_whose_supervisor_was_killed_gives_way(server: EmbeddedPostgres) -> None:
    await server.start()
    old = int((server.data / "postmaster.pid").read_text().split()[0])
    fresh = EmbeddedPostgres(server.home, free_port())
    await fresh.start()
    assert await fresh.answers()
    new = int((server.data / "postmaster.pid").read_text().split()[0])
    assert new != old
    await fresh.stop()


async def test_a_server_that_crashes_comes_back_with_its_data(server: EmbeddedPostgres) -> None:
    await server.start()
    with psycopg.connect(server.dsn()) as connection:
        connection.execute("create table kept as select 7 as n")
    pid = int((server.data / "postmaster.pid").read_text().split()[0])
    psutil.Process(pid).kill()

    def back() -> bool:
        try:
            with psycopg.connect(server.dsn(), connect_timeout=2) as connection:
                return connection.execute("select n from kept").fetchone() == (7,)
        except psycopg.OperationalError:
            return False

    await until(back)


async def test_a_taken_port(server: EmbeddedPostgres) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.port))
        other.listen()
        with pytest.raises(Rejected, match=rf"port {server.port} is taken by .* POTOK_PG_PORT"):
            await server.start()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda s: (s.data / "PG_VERSION").write_text("15\n"), "PostgreSQL 15, this is 18"),
        (lambda s: (s.data / "PG_VERSION").unlink(), "holds no PostgreSQL data: move it away"),
        (lambda s: s.password_path.unlink(), "is missing: put it back, or move"),
    ],
)
async def test_data_that_cannot_be_used(server: EmbeddedPostgres, spoil, words) -> None:  # type: ignore[no-untyped-def]
    spoil(server)
    with pytest.raises(Rejected, match=words) as caught:
        server.prepare()
    assert "\n" not in str(caught.value)


async def test_a_server_that_refuses_its_settings(server: EmbeddedPostgres) -> None:
    wrong = EmbeddedPostgres(server.home, server.port, {"shared_buffers": "lots"})
    with pytest.raises(StartFailed, match=r"shared_buffers.*\(log: .*postgres.log\)"):
        await wrong.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somewhere to shut others out of")
async def test_a_home_behind_a_closed_directory(open_dir: Path) -> None:
    closed = open_dir / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "checkout" / ".potok", free_port())
    await server.start()
    assert await server.answers()
    await server.stop()
    user = os_user.needed_user()
    assert user is not None
    assert os_user.can_reach(user, closed, "-x")
    assert not os_user.can_reach(user, closed, "-r")
    assert closed.stat().st_mode & 0o007 == 0
    shutil.rmtree(closed)


def test_a_database_for_each_module(database: str) -> None:
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from alembic_version").fetchone() == (1,)
