"""The week's figures as tasks: counted, drawn, shown on the run and sent to the managers."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from datetime import date

from prefect import task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE

from blocks._retry import retried
from blocks.alerts import tell_managers
from lib.domain.weekly import Week, start_of, week_from, week_text
from lib.store.engine import Database
from lib.store.weekly import leads_of_week


@retried
async def count_week(database: Database, monday: date) -> Week:
    """The figures of the week that begins on a Monday."""
    leads, before = await leads_of_week(database, start_of(monday))
    return week_from(monday, leads, before)


@task(cache_policy=NO_CACHE)
async def draw_week(week: Week) -> bytes:
    """The week's plots, a PNG."""
    return await asyncio.to_thread(_drawn, week)


async def publish_week(week: Week, picture: bytes) -> None:
    """Leave the figures and the plots as an artifact, and send both to the managers."""
    text = week_text(week)
    image = f"![{week.title}](data:image/png;base64,{b64encode(picture).decode()})"
    lines = "\n".join(f"- {line}" for line in text.splitlines()[1:])
    await acreate_markdown_artifact(f"## {week.title}\n\n{lines}\n\n{image}", key="week")
    await tell_managers(text, picture)


def _drawn(week: Week) -> bytes:
    from lib.pictures import Picture  # a second, for matplotlib

    picture = Picture(week.title)
    picture.stacked("Лиды по дням и источникам", week.days, week.by_source)
    picture.bars("Лиды по оценке", week.bands)
    picture.bars("Лиды по числу звонков", week.calls)
    outcomes = {"сделки": week.won, "отказы": week.lost}
    outcomes["в работе"] = week.leads - week.won - week.lost
    picture.bars("Что с ними стало", outcomes)
    return picture.png()
