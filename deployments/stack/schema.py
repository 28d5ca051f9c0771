"""The schema of our database, made newer when it has to be: ``python -m deployments.stack.schema``.

Alembic is imported in a process of its own: the supervisor stays small and starts fast.
"""

from __future__ import annotations

import hashlib

import psycopg

from deployments.settings import ROOT, Settings, read_settings

VERSIONS = ROOT / "lib" / "store" / "migrations" / "versions"


def is_current(settings: Settings) -> bool:
    """Whether the database has the version that these migrations gave it the last time."""
    known = settings.home / "schema"
    return known.exists() and known.read_text() == _state(settings)


def mark_current(settings: Settings) -> None:
    """Remember that the database has been made newest by these migrations."""
    (settings.home / "schema").write_text(_state(settings))


def _state(settings: Settings) -> str:
    digest = hashlib.sha256()
    for path in sorted(VERSIONS.glob("*.py")):
        digest.update(path.read_bytes())
    return f"{_version(settings.database_url)} {digest.hexdigest()}"


def _version(dsn: str) -> str | None:
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        if connection.execute("select to_regclass('alembic_version')").fetchone() == (None,):
            return None
        rows = connection.execute("select version_num from alembic_version").fetchall()
    return ",".join(sorted(row[0] for row in rows))


if __name__ == "__main__":
    from lib.store.migrate import upgrade

    upgrade(read_settings().database_url)
