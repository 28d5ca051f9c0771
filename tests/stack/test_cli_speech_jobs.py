"""``potok speech jobs``, ``show`` and ``again`` over a database with jobs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from deployments.cli.doctor import BROKEN, OFF, examine
from deployments.settings import read_settings
from lib.domain.speech_jobs import JobWishes
from lib.domain.transcripts import Segment, Transcript
from lib.store.engine import Database
from lib.store.llm.keys import Keys, NewKey
from lib.store.speech_jobs import NewJob, SpeechJobs
from tests.stack.conftest import Potok
from tests.store.making import run_sql

HEARD, FAILED, RUNNING, QUEUED = (f"{number}" * 8 for number in range(1, 5))
TEXT = "Нужен лизинг [bold]\x1b[31m"
HOOK = "https://user:hush@example.ru/heard?token=hush"


def uuid(beginning: str) -> UUID:
    return UUID(f"{beginning}-0000-4000-8000-000000000000")


@dataclass(frozen=True)
class Filled:
    """A database with a job in each state; the one that was heard could not tell its caller."""

    dsn: str
    jobs: SpeechJobs


@pytest.fixture
async def filled(database: str) -> AsyncIterator[Filled]:
    db = Database(database, pool_size=1)
    await run_sql(db, "truncate speech_jobs, llm_keys, llm_calls, llm_spend, llm_rates cascade")
    await Keys(db).create(NewKey("recorder\x1b[2J", ("speech",)))
    async with db.autocommit() as connection:
        row = await (await connection.execute("select id from llm_keys")).fetchone()
        assert row is not None
    jobs, wishes = SpeechJobs(db), JobWishes(language="ru", stereo=True)
    for beginning in (HEARD, FAILED, RUNNING, QUEUED):
        url = None if beginning == FAILED else HOOK
        job = NewJob(uuid(beginning), row[0], wishes, client_ref="42", callback_url=url)
        await jobs.accept(job)
    for beginning in (HEARD, FAILED, RUNNING):
        await jobs.begin(uuid(beginning), 60.0)
    await jobs.progress(uuid(RUNNING), 12.0)
    segments = (Segment(start_s=0, end_s=60, text=TEXT),)
    transcript = Transcript(
        language="ru", language_probability=1, duration_s=60, segments=segments, model="base"
    )
    await jobs.end(uuid(HEARD), transcript)
    await jobs.end(uuid(FAILED), "the file is no sound")
    await jobs.told(str(uuid(HEARD)), "answered 500", timedelta(hours=2))
    await jobs.told(str(uuid(HEARD)), "answered 410", None)
    yield Filled(database, jobs)
    await db.close()


async def test_jobs_are_listed_with_their_callbacks(potok: Potok, filled: Filled) -> None:
    code, said, wrong = await potok("speech", "jobs", DATABASE_URL=filled.dsn)
    assert (code, wrong) == (0, "")
    head, *lines = (" ".join(line.split()) for line in said.splitlines())
    assert head == "job tool state heard age callback error"
    assert [line.split()[0] for line in lines] == [QUEUED, RUNNING, FAILED, HEARD]
    assert "running 12 of 60 s" in lines[1]
    assert lines[2].endswith("the file is no sound")
    assert "given up, 2 tries: answered 410" in lines[3]
    assert "\x1b" not in said
    assert "лизинг" not in said
    words = ("speech", "jobs", "--state", "failed", "--limit", "5", "--json")
    [row] = json.loads((await potok(*words, DATABASE_URL=filled.dsn))[1])
    assert (row["id"], row["error"], row["callback"]) == (
        str(uuid(FAILED)),
        "the file is no sound",
        None,
    )
    await run_sql(filled.jobs._database, "truncate speech_jobs")
    for words, told in ((("--state", "failed"), "no job is failed"), ((), "no jobs came in yet")):
        code, said, _ = await potok("speech", "jobs", *words, DATABASE_URL=filled.dsn)
        assert (code, said.strip()) == (0, told)


async def test_a_job_is_shown_with_its_text(potok: Potok, filled: Filled) -> None:
    code, said, wrong = await potok("speech", "show", HEARD[:4], DATABASE_URL=filled.dsn)
    assert (code, wrong) == (0, "")
    lines = [" ".join(line.split()) for line in said.splitlines()]
    for line in (
        f"job {uuid(HEARD)}",
        "state succeeded",
        "client_ref 42",
        "heard 60 of 60 s",
        "asked for language ru, stereo yes",
        "model base",
        "callback given up, 2 tries: answered 410",
        "calls back https://example.ru/heard",
    ):
        assert line in lines
    assert "Нужен лизинг [bold]\ufffd[31m" in said
    assert "hush" not in said
    words = ("speech", "show", str(uuid(HEARD)), "--json")
    row = json.loads((await potok(*words, DATABASE_URL=filled.dsn))[1])
    assert row["told"]["text"] == TEXT
    assert (row["callback_url"], row["wishes"]["stereo"]) == ("https://example.ru/heard", True)


async def test_a_callback_is_sent_again(potok: Potok, filled: Filled) -> None:
    assert await filled.jobs.due() == []
    code, said, wrong = await potok("speech", "again", HEARD, DATABASE_URL=filled.dsn)
    assert (code, wrong) == (0, "")
    assert f"potok speech show {HEARD}" in said
    [due] = await filled.jobs.due()
    assert (due.job.id, due.tries) == (str(uuid(HEARD)), 0)
    _, said, _ = await potok("speech", "show", HEARD, DATABASE_URL=filled.dsn)
    assert "waiting: answered 410" in said
    assert "next try" in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("jobs", "--state", "dead"), "there is no state 'dead': it is one of queued, running"),
        (("show", "x\x1b"), "'x\ufffd' is no job: its id is meant"),
        (("show", "abcd"), "no job's id begins with 'abcd': `potok speech jobs` lists them"),
        (("again", "abcd"), "no job's id begins with 'abcd'"),
        (("again", FAILED), "nobody asked to be called back"),
        (("again", RUNNING), "the job is running: its caller is told when it has ended"),
        (("again", QUEUED), "the job is queued: its caller is told when it has ended"),
    ],
)
async def test_what_is_wrong_is_said_in_one_line(
    potok: Potok, filled: Filled, words: tuple[str, ...], told: str
) -> None:
    code, _, wrong = await potok("speech", *words, DATABASE_URL=filled.dsn)
    assert code == 1
    assert told in wrong
    assert len(wrong.strip().splitlines()) == 1


async def test_a_beginning_of_several_ids_is_no_job(potok: Potok, filled: Filled) -> None:
    twin = UUID(f"{HEARD}-1111-4000-8000-000000000000")
    await filled.jobs.accept(NewJob(twin, 1, JobWishes()))
    code, _, wrong = await potok("speech", "show", HEARD, DATABASE_URL=filled.dsn)
    assert code == 1
    assert f"the ids of several jobs begin with '{HEARD}'" in wrong
    code, said, _ = await potok("speech", "show", str(twin), DATABASE_URL=filled.dsn)
    assert (code, str(twin) in said) == (0, True)


@pytest.mark.parametrize(
    ("variables", "state", "words"),
    [
        ({}, OFF, "neither SPEECH_MODEL nor SPEECH_URL is set"),
        ({"SPEECH_MODEL": "base"}, OFF, "starts with the stack, model base"),
        ({"SPEECH_MODEL": "/none"}, BROKEN, "SPEECH_MODEL: /none has no config.json"),
        ({"SPEECH_URL": "http://127.0.0.1:1"}, BROKEN, "127.0.0.1:1/healthz does not answer"),
    ],
)
async def test_the_doctor_looks_at_the_service(
    tmp_path: Path, variables: dict[str, str], state: str, words: str
) -> None:
    settings = read_settings(POTOK_HOME=tmp_path, **variables)
    [found] = [each for each in await examine(settings) if each.name == "speech"]
    assert found.state == state
    assert words in found.words
