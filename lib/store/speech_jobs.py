"""Jobs of the speech service: kept from their acceptance on, taken by one listener at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from lib.domain.speech_jobs import JobWishes, SpeechJob, State
from lib.domain.transcripts import Transcript
from lib.errors import Rejected
from lib.store.engine import Database
from lib.store.hold import HELD, Hold

_COLUMNS = """
    id::text as id, state, client_ref, created_at, ended_at, done_s, duration_s, error,
    transcript, callback
"""
_HELD = HELD.format(key="'speech:' || id")

_ACCEPT = text(
    """
    insert into speech_jobs (id, key_id, idempotency_key, client_ref, wishes, source_url,
      callback_url)
    values (:id, :key_id, :idempotency_key, :client_ref, cast(:wishes as jsonb), :source_url,
      :callback_url)
    on conflict (key_id, idempotency_key) do nothing
    """
)
_SAME = text("select id from speech_jobs where key_id = :key_id and idempotency_key = :key")
_SHOW = text(f"select {_COLUMNS} from speech_jobs where id = :id and key_id = :key_id")  # noqa: S608
_NEXT = text(
    f"""
    select id, wishes, source_url from speech_jobs
    where state in ('queued', 'running') and not {_HELD} order by created_at limit 1
    """  # noqa: S608 — of our own words
)
_OPEN = text("select id from speech_jobs where state in ('queued', 'running')")
_BEGIN = text(
    """
    update speech_jobs set state = 'running', done_s = 0, duration_s = :duration_s
    where id = :id and state in ('queued', 'running')
    """
)
_PROGRESS = text("update speech_jobs set done_s = :done_s where id = :id and state = 'running'")
_END = text(
    """
    update speech_jobs set state = :state, error = :error,
      transcript = cast(:transcript as jsonb), done_s = coalesce(duration_s, 0),
      ended_at = clock_timestamp(),
      callback = case when callback_url is not null then 'waiting' end,
      callback_due_at = case when callback_url is not null then clock_timestamp() end
    where id = :id and state in ('queued', 'running')
    """
)
_VIEW = f"""
    select {_COLUMNS}, wishes, source_url, callback_url, callback_tries, callback_error,
      case when callback = 'waiting' then callback_due_at end as callback_due_at,
      (select name from llm_keys where llm_keys.id = key_id) as tool
    from speech_jobs
"""  # noqa: S608 — of our own words
_NEWEST = text(
    f"{_VIEW} where cast(:state as text) is null or state = :state"
    " order by created_at desc, id limit :limit"
)
_BEGINNING = text(f"{_VIEW} where starts_with(id::text, :beginning) order by id limit 2")
_DUE = text(
    f"""
    select {_COLUMNS}, callback_url, callback_tries from speech_jobs
    where callback = 'waiting' and callback_due_at <= clock_timestamp()
    order by callback_due_at limit :limit
    """  # noqa: S608 — of our own words
)
_TOLD = text(
    """
    update speech_jobs set callback = :callback, callback_tries = callback_tries + 1,
      callback_error = :error, callback_due_at = clock_timestamp() + cast(:pause as interval)
    where id = :id
    """
)
_AGAIN = text(
    """
    update speech_jobs set callback = 'waiting', callback_tries = 0,
      callback_due_at = clock_timestamp()
    where id = :id and ended_at is not null and callback_url is not null
    """
)


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be accepted. ``source_url`` is None where the recording was sent along."""

    id: UUID
    key_id: int
    wishes: JobWishes
    idempotency_key: str | None = None
    client_ref: str | None = None
    source_url: str | None = None
    callback_url: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that nobody works on."""

    id: UUID
    wishes: JobWishes
    source_url: str | None


@dataclass(frozen=True, slots=True)
class DueCallback:
    """A job whose caller is to be told now; ``tries`` failed before."""

    job: SpeechJob
    url: str
    tries: int


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as a person sees it.

    Attributes:
        tool: whose key it came by; None: nobody knows that key any more.
        callback_tries: that were made since its callback was last begun.
        callback_due_at: when it is tried next; None: it is not.
    """

    job: SpeechJob
    tool: str | None
    wishes: JobWishes
    source_url: str | None
    callback_url: str | None
    callback_tries: int
    callback_error: str | None
    callback_due_at: datetime | None


class SpeechJobs:
    """Queries on jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, job: NewJob) -> UUID:
        """Keep a job; the id of the one that was accepted under its idempotency key before."""
        given = {
            "id": job.id,
            "key_id": job.key_id,
            "idempotency_key": job.idempotency_key,
            "client_ref": job.client_ref,
            "wishes": job.wishes.model_dump_json(),
            "source_url": job.source_url,
            "callback_url": job.callback_url,
        }
        async with self._database.transaction() as connection:
            if (await connection.execute(_ACCEPT, given)).rowcount:
                return job.id
            same = {"key_id": job.key_id, "key": job.idempotency_key}
            return UUID(str((await connection.execute(_SAME, same)).scalar_one()))

    async def show(self, job_id: UUID, key_id: int) -> SpeechJob | None:
        """A job of a key; None: it has no such job."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(_SHOW, {"id": job_id, "key_id": key_id})).first()
        return _job(row) if row else None

    async def newest(self, state: State | None, limit: int) -> list[JobView]:
        """The newest jobs of all keys, the newest first; None: in any state."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(_NEWEST, {"state": state, "limit": limit})
            return [_view(row) for row in rows]

    async def find(self, beginning: str) -> JobView:
        """The job whose id begins so.

        Raises:
            Rejected: none does, or several do.
        """
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_BEGINNING, {"beginning": beginning})).all()
        if len(rows) != 1:
            told = "no job's id begins" if not rows else "the ids of several jobs begin"
            raise Rejected(f"{told} with {beginning!r}: `potok speech jobs` lists them")
        return _view(rows[0])

    async def next(self) -> Waiting | None:
        """The oldest job that nobody works on, also one whose listener died."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(_NEXT)).first()
        return (
            Waiting(row.id, JobWishes.model_validate(row.wishes), row.source_url) if row else None
        )

    async def open(self) -> set[UUID]:
        """Those that have not ended."""
        async with self._database.transaction() as connection:
            return {UUID(str(each)) for each in (await connection.execute(_OPEN)).scalars()}

    def hold(self, job_id: UUID) -> Hold:
        """Shows that a living process works on a job; raises Rejected when another does."""
        return Hold(self._database, f"speech:{job_id}")

    async def begin(self, job_id: UUID, duration_s: float) -> bool:
        """Note that it is listened to; False: it has ended meanwhile."""
        async with self._database.transaction() as connection:
            given = {"id": job_id, "duration_s": duration_s}
            return bool((await connection.execute(_BEGIN, given)).rowcount)

    async def progress(self, job_id: UUID, done_s: float) -> None:
        """Note how far it is."""
        async with self._database.transaction() as connection:
            await connection.execute(_PROGRESS, {"id": job_id, "done_s": done_s})

    async def end(self, job_id: UUID, result: Transcript | str) -> None:
        """Keep the transcript, or why there is none; its caller is to be told from now on."""
        is_good = isinstance(result, Transcript)
        given = {
            "id": job_id,
            "state": "succeeded" if is_good else "failed",
            "transcript": result.model_dump_json() if isinstance(result, Transcript) else None,
            "error": None if is_good else result,
        }
        async with self._database.transaction() as connection:
            await connection.execute(_END, given)

    async def due(self, limit: int = 20) -> list[DueCallback]:
        """Jobs whose callers are to be told now."""
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_DUE, {"limit": limit})).all()
        return [DueCallback(_job(row), row.callback_url, row.callback_tries) for row in rows]

    async def told(self, job_id: str, error: str | None, pause: timedelta | None) -> None:
        """Note a callback: heard, or, with an error, to be tried again after a pause or never."""
        callback = "sent" if error is None else "given up" if pause is None else "waiting"
        given = {"id": job_id, "callback": callback, "error": error, "pause": pause or timedelta()}
        async with self._database.transaction() as connection:
            await connection.execute(_TOLD, given)

    async def tell_again(self, job_id: UUID) -> bool:
        """Let a callback be sent anew; False: there is none to send."""
        async with self._database.transaction() as connection:
            return bool((await connection.execute(_AGAIN, {"id": job_id})).rowcount)


def _view(row: Any) -> JobView:
    return JobView(
        _job(row),
        row.tool,
        JobWishes.model_validate(row.wishes),
        row.source_url,
        row.callback_url,
        row.callback_tries,
        row.callback_error,
        row.callback_due_at,
    )


def _job(row: Any) -> SpeechJob:
    named = {name: getattr(row, name) for name in SpeechJob.model_fields}
    return SpeechJob.model_validate(named)
