"""What ``prefect.yaml`` says about the deployments, and whether a Prefect server has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deployments.settings import ROOT, Settings
from lib.clients.prefect_api import PrefectApi
from lib.errors import Rejected

INBOX = "inbox"  # the tag of a deployment that takes batches of the inbox
FOLLOW_UP = "follow-up"  # the tag of one of them that may let its work gather for longer


@dataclass(frozen=True, slots=True)
class Entry:
    """A deployment as ``prefect.yaml`` names it.

    Attributes:
        name: ``flow/deployment``.
        entrypoint: the flow's module path.
        pool: the work pool of its runs.
        tags: of its runs.
        schedules: when it runs by itself, for people.
    """

    name: str
    entrypoint: str
    pool: str
    tags: tuple[str, ...]
    description: str = ""
    schedules: tuple[str, ...] = ()


def entries(path: Path = ROOT / "prefect.yaml") -> list[Entry]:
    """Every deployment of ``prefect.yaml``.

    Raises:
        Rejected: the file is wrong; one line says where and what.
    """
    try:
        said = yaml.safe_load(path.read_text())
    except yaml.MarkedYAMLError as exc:
        place = f"line {exc.problem_mark.line + 1}: " if exc.problem_mark else ""
        raise Rejected(f"{path.name} is no YAML: {place}{exc.problem or exc.context}") from None
    except yaml.YAMLError as exc:
        raise Rejected(f"{path.name} is no YAML: {' '.join(str(exc).split())}") from None
    listed = said.get("deployments") if isinstance(said, dict) else None
    if not isinstance(listed, list):
        raise Rejected(f"{path.name} has no list of deployments")
    for number, each in enumerate(listed, 1):
        if lacking := _lacking(each):
            raise Rejected(f"deployment {number} in {path.name} has no {lacking}")
    return [_entry(each) for each in listed]


def inbox_deployments() -> list[str]:
    """The deployments that take their work from the inbox, as ``flow/deployment``."""
    return [entry.name for entry in entries() if INBOX in entry.tags]


def follow_up_deployments() -> list[str]:
    """Those whose work may gather for longer, as ``flow/deployment``."""
    return [entry.name for entry in entries() if FOLLOW_UP in entry.tags]


async def missing(settings: Settings) -> list[str]:
    """What the server has not, or has in no pool or another one, in a few words each.

    Raises:
        PotokError: Prefect is away or refuses us, or ``prefect.yaml`` is wrong.
    """
    prefect = PrefectApi(settings.prefect_api_url, settings.prefect_auth)
    try:
        return [words for entry in entries() if (words := await _wrong(prefect, entry))]
    finally:
        await prefect.close()


async def _wrong(prefect: PrefectApi, entry: Entry) -> str | None:
    try:
        pool = (await prefect.deployment(entry.name)).pool
    except Rejected:
        return f"{entry.name} is not deployed"
    if pool == entry.pool:
        return None
    return f"{entry.name} is in {f'pool {pool}' if pool else 'no pool'}, not in {entry.pool}"


def _lacking(said: object) -> str | None:
    if not isinstance(said, dict):
        return "name"
    pool = said.get("work_pool")
    named = said | {"work_pool.name": pool.get("name") if isinstance(pool, dict) else None}
    wanted = ("name", "entrypoint", "work_pool.name")
    return next((field for field in wanted if not isinstance(named.get(field), str)), None)


def _entry(said: dict[str, Any]) -> Entry:
    return Entry(
        name=f"{said['entrypoint'].rpartition('.')[2].replace('_', '-')}/{said['name']}",
        entrypoint=said["entrypoint"],
        pool=said["work_pool"]["name"],
        tags=tuple(said.get("tags") or ()),
        description=str(said.get("description") or ""),
        schedules=tuple(_when(each) for each in said.get("schedules") or ()),
    )


def _when(schedule: dict[str, Any]) -> str:
    if "interval" in schedule:
        return f"every {schedule['interval']} s"
    said = schedule.get("cron") or schedule.get("rrule") or ""
    return f"{said} {schedule.get('timezone') or 'UTC'}"
