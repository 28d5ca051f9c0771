"""What recordings say: from the moment that somebody wants to know it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from lib.domain.inbound import InboundMessage
from lib.domain.recordings import FILES_AT_ONCE, POLL_EVERY, Place, State, place_of, ref_of
from lib.domain.transcripts import Transcript
from lib.store.engine import Database
from lib.store.events import deliver, message_delivery

_COLUMNS = "id, ref, place, state, tries, job_id, artifact_id, created_at"

_ASK = text(
    f"""
    insert into transcripts as old (ref, place, asked_by) values (:ref, cast(:place as jsonb), :by)
    on conflict (ref) do update set asked_by = array(
      select distinct unnest(old.asked_by || excluded.asked_by) order by 1
    )
    returning {_COLUMNS}
    """  # noqa: S608 — of our own words
)
_KNOWN = text("select ref from transcripts where ref = any(:refs)")
_DUE = text(
    f"""
    select {_COLUMNS} from transcripts
    where (state = 'submitted' or state = 'waiting' and place ->> 'path' is null)
      and due_at <= clock_timestamp() order by due_at limit :limit
    """  # noqa: S608
)
_NEXT_FILES = text(
    f"""
    select {_COLUMNS} from transcripts
    where state = 'waiting' and place ->> 'path' is not null and due_at <= clock_timestamp()
    order by due_at, id limit greatest(0, :at_once - (
      select count(*) from transcripts
      where state = 'submitted' and place ->> 'path' is not null and id <> all(:ending)
    ))
    """  # noqa: S608
)
_OF_JOBS = text(
    f"""
    select {_COLUMNS} from transcripts
    where state in ('waiting', 'submitted') and job_id = any(cast(:jobs as uuid[]))
    """  # noqa: S608
)
_SUBMITTED = text(
    """
    update transcripts set state = 'submitted', job_id = :job_id, error = null, tries = 0,
      due_at = clock_timestamp() + :pause
    where id = :id and state in ('waiting', 'submitted')
    """
)
_AGAIN = text(
    """
    update transcripts set error = :error,
      tries = case when cast(:error as text) is null then 0 else tries + 1 end,
      artifact_id = coalesce(:artifact_id, artifact_id), due_at = clock_timestamp() + :pause
    where id = :id and state in ('waiting', 'submitted')
    """
)
_END = text(
    """
    update transcripts set state = :state, error = :error, text = :text, language = :language,
      duration_s = :duration_s, model = :model, transcript = cast(:transcript as jsonb),
      ended_at = clock_timestamp()
    where id = :id and state in ('waiting', 'submitted') returning asked_by
    """
)
# Locked: of two recordings of a message that end at once the second one must see the first.
_ASKERS = text("select id, message from deliveries where id = any(:ids) order by id for update")
_OF_REFS = text("select ref, state, text from transcripts where ref = any(:refs)")
_REOPEN = text(
    """
    update transcripts set state = 'waiting', tries = 0, job_id = null, error = null,
      due_at = clock_timestamp(), created_at = clock_timestamp()
    where id = :id and state = 'failed'
    """
)
_NEWEST = text(
    """
    select id, ref, state, error, text, language, duration_s, model, created_at, ended_at
    from transcripts where cast(:state as text) is null or state = :state
    order by id desc limit :limit
    """
)
_SHOW = text("select * from transcripts where id = :id")


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that somebody wants to read.

    Attributes:
        tries: that failed, one after another.
        job_id: of the speech service; None: it was not submitted.
        artifact_id: of Prefect's progress bar, if it has one.
    """

    id: int
    ref: str
    place: Place
    state: State
    tries: int
    job_id: UUID | None
    artifact_id: UUID | None
    created_at: datetime


class Transcripts:
    """Queries on transcripts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, delivery_ids: Collection[int]) -> list[Recording]:
        """Note the recordings of messages; those that were heard are told to their messages.

        Returns:
            Those that are still to be heard.
        """
        found = []
        async with self._database.transaction() as connection:
            for delivery_id, message in await _messages(connection, delivery_ids):
                for media in message.recordings:
                    ref, place = ref_of(message, media), place_of(message, media)
                    found.append(await _asked(connection, ref, place, [delivery_id]))
            await _pass_on(connection, delivery_ids)
        return [each for each in found if each.state in ("waiting", "submitted")]

    async def note(self, ref: str, place: Place) -> Recording:
        """Note a recording that no message asks for."""
        async with self._database.transaction() as connection:
            return await _asked(connection, ref, place, [])

    async def unknown(self, refs: Sequence[str]) -> list[str]:
        """Those of these references that were never noted, in their order."""
        async with self._database.transaction() as connection:
            known = set((await connection.execute(_KNOWN, {"refs": list(refs)})).scalars())
        return [ref for ref in refs if ref not in known]

    async def due(self, limit: int = 100) -> list[Recording]:
        """Those that are to be looked at now: submitted, or asked what became of them."""
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_DUE, {"limit": limit})).all()
        return [*map(_recording, rows), *await self.next_files()]

    async def next_files(self, ending: Sequence[int] = ()) -> list[Recording]:
        """Files to submit now: few at once, so that a full folder is in no message's way.

        Args:
            ending: those that are with the service no more.
        """
        given = {"at_once": FILES_AT_ONCE, "ending": list(ending)}
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_NEXT_FILES, given)).all()
        return [_recording(row) for row in rows]

    async def of_jobs(self, job_ids: Sequence[str]) -> list[Recording]:
        """Those of these jobs that have not ended."""
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_OF_JOBS, {"jobs": list(job_ids)})).all()
        return [_recording(row) for row in rows]

    async def submitted(self, recording_id: int, job_id: UUID) -> None:
        """Note its job; it is asked for when no callback comes."""
        given = {"id": recording_id, "job_id": job_id, "pause": POLL_EVERY}
        async with self._database.transaction() as connection:
            await connection.execute(_SUBMITTED, given)

    async def look_again(
        self,
        recording_id: int,
        pause: timedelta,
        error: str | None = None,
        artifact_id: UUID | None = None,
    ) -> None:
        """Look at it again after a pause; with an error that is one more try that failed."""
        given = {"id": recording_id, "pause": pause, "error": error, "artifact_id": artifact_id}
        async with self._database.transaction() as connection:
            await connection.execute(_AGAIN, given)

    async def end(self, recording_id: int, result: Transcript | str) -> bool:
        """Keep what it says, or why nobody knows; messages that wait for it come back with it.

        Returns:
            False when it had ended before: nothing was done then.
        """
        heard = result if isinstance(result, Transcript) else None
        given = {
            "id": recording_id,
            "state": "done" if heard else "failed",
            "error": None if heard else result,
            "text": heard.text if heard else None,
            "language": heard.language if heard else None,
            "duration_s": heard.duration_s if heard else None,
            "model": heard.model if heard else None,
            "transcript": heard.model_dump_json() if heard else None,
        }
        async with self._database.transaction() as connection:
            asked_by = (await connection.execute(_END, given)).scalar_one_or_none()
            await _pass_on(connection, asked_by or [])
        return asked_by is not None

    async def reopen(self, recording_id: int) -> bool:
        """Let one that failed be heard anew; False: there is none."""
        async with self._database.transaction() as connection:
            return bool((await connection.execute(_REOPEN, {"id": recording_id})).rowcount)

    async def newest(self, limit: int = 50, state: State | None = None) -> list[dict[str, Any]]:
        """The last that were asked for, newest first."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(_NEWEST, {"limit": limit, "state": state})
            return [dict(row._mapping) for row in rows]

    async def show(self, recording_id: int) -> dict[str, Any] | None:
        """All of one; None: there is none."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(_SHOW, {"id": recording_id})).first()
        return dict(row._mapping) if row else None


async def _asked(
    connection: AsyncConnection, ref: str, place: Place, asked_by: list[int]
) -> Recording:
    given = {"ref": ref, "place": place.model_dump_json(), "by": asked_by}
    return _recording((await connection.execute(_ASK, given)).one())


async def _messages(
    connection: AsyncConnection, delivery_ids: Collection[int]
) -> list[tuple[int, InboundMessage]]:
    rows = (await connection.execute(_ASKERS, {"ids": sorted(delivery_ids)})).all()
    return [(row.id, InboundMessage.model_validate(row.message)) for row in rows]


async def _pass_on(connection: AsyncConnection, delivery_ids: Collection[int]) -> None:
    """Give each message whose recordings have all ended its words, once."""
    heard = []
    for _, message in await _messages(connection, delivery_ids):
        refs = list(dict.fromkeys(ref_of(message, media) for media in message.recordings))
        rows = (await connection.execute(_OF_REFS, {"refs": refs})).all()
        known = {row.ref: row for row in rows}
        has_ended = all(ref in known and known[ref].state in ("done", "failed") for ref in refs)
        if has_ended and (texts := [text for ref in refs if (text := known[ref].text)]):
            said = message.heard(texts)
            heard.append(message_delivery(said, said.model_dump_json()))
    await deliver(connection, heard)


def _recording(row: Any) -> Recording:
    return Recording(**dict(row._mapping) | {"place": Place.model_validate(row.place)})
