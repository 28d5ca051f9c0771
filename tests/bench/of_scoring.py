"""A night's scoring: 50,000 open leads with their messages and calls."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time

import psutil
import psycopg

from blocks.scoring import score_leads
from deployments.stack.databases import ensure_databases
from lib.store.engine import Database
from lib.store.migrate import upgrade
from tests.bench.figures import Sample
from tests.bench.house import House
from tests.bench.measures import Options

LEADS, QUICK_LEADS = 50_000, 5_000
NAME = "bench_scoring"
_FILL = """
    truncate leads, lead_messages, calls, scores cascade;
    insert into leads (origin, source, person, name, phone, email, intent, amount, currency,
      urgency, read_by, version, opened_at, last_message_at)
    select 'telegram:main:' || g, 'telegram', 'telegram:' || g, 'Анна', '+7916' || g % 40000,
      case when g % 3 = 0 then g || '@mail.ru' end, 'ипотека', g * 1000, 'RUB', 'normal',
      'rules', 1,
      now() - make_interval(hours => g % 700), now() - make_interval(hours => g % 500)
    from generate_series(1, {leads}) g;
    insert into lead_messages (ref, delivery_id, lead_id, person, at, text, inquiry)
    select l.id || ':' || n, l.id * 3 + n, l.id, l.person, l.last_message_at, 'ипотека', '{{}}'
    from leads l, generate_series(1, 3) n;
    insert into calls (id, lead_id, direction, outcome, seconds, started_at)
    select id * 2 + n, id, case when n = 0 then 'in' else 'out' end,
      case when id % 2 = 0 then 'answered' else 'missed' end, 60, now()
    from leads, generate_series(0, 1) n;
    analyze;
"""


async def measure(house: House, options: Options) -> Sample:
    """Score them all once; the CRM is told at its own pace, by its limit, and not here."""
    await house.until_quiet()
    server = house.settings.database_url.rsplit("/", 1)[0]
    await asyncio.to_thread(ensure_databases, f"{server}/postgres", [NAME])
    await asyncio.to_thread(upgrade, f"{server}/{NAME}")
    leads = QUICK_LEADS if options.is_quick else LEADS
    await asyncio.to_thread(_fill, f"{server}/{NAME}", leads)
    database = Database(f"{server}/{NAME}", pool_size=1)
    postgres = house.stack.supervisor.pid("postgres")
    cpu_s, theirs_s, began = time.process_time(), _cpu_s(postgres), time.perf_counter()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = await score_leads.fn(database, None)
    took_s = time.perf_counter() - began
    figures = {
        "scoring.all_s": took_s,
        "scoring.cpu_s": time.process_time() - cpu_s + _cpu_s(postgres) - theirs_s,
        "scoring.grew_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1000,
    }
    await database.close()
    assert report.leads == leads
    return Sample(figures, [f"{leads:,} leads: {report.bands}"])


def _fill(dsn: str, leads: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_FILL.format(leads=leads).encode())


def _cpu_s(pid: int) -> float:
    """CPU of PostgreSQL and of all its processes, those that have ended too."""
    server = psutil.Process(pid)
    own = server.cpu_times()
    spent = own.user + own.system + own.children_user + own.children_system
    for each in server.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            spent += sum(each.cpu_times()[:2])
    return spent
