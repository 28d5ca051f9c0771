"""The speech service's work: jobs in the order they came, and recordings that somebody waits for.

All share the listener part by part, so that a short recording is heard while a long one is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

from lib.clients.outside import Outside
from lib.domain.recordings import LIMIT_BYTES
from lib.domain.speech_jobs import JobWishes
from lib.domain.transcripts import Segment, Transcript
from lib.errors import PotokError, Rejected, Unavailable
from lib.speech.listener import Listener, Part, Plan, Wishes
from lib.speech.recording import decoded
from lib.store.speech_jobs import SpeechJobs, Waiting

log = logging.getLogger(__name__)

JOBS_AT_ONCE = 4
LOOKS_EVERY_S = 1.0
FETCH_TRIES = 3
FETCH_PAUSE_S = 2.0
SOUND, PCM, PART = ".sound", ".pcm", ".part"
SUFFIXES = (SOUND, PCM, PART)

Progress = Callable[[float, float], Awaitable[None]]
"""Told of seconds done, and of how many."""


class Desk:
    """Takes recordings and gives transcripts.

    Args:
        listener: the model.
        jobs: where jobs are kept.
        outside: fetches recordings that are named by address.
        folder: where recordings lie until they were listened to.
        ended: told when a job has ended.
    """

    def __init__(
        self,
        listener: Listener,
        jobs: SpeechJobs,
        outside: Outside,
        folder: Path,
        ended: Callable[[], None],
    ) -> None:
        self.listener = listener
        self._jobs = jobs
        self._outside = outside
        self._folder = folder
        self._ended = ended
        self._turn = asyncio.Semaphore(listener.workers)
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """A job was accepted: look at once."""
        self._wake.set()

    def place(self, job_id: UUID) -> Path:
        """Where the recording of a job lies."""
        return self._folder / f"{job_id}{SOUND}"

    async def forget_left(self) -> None:
        """Delete what a service that was killed has left of recordings, but those of open jobs."""
        wanted = {str(job_id) for job_id in await self._jobs.open()}
        for path in self._folder.iterdir():
            if path.suffix in SUFFIXES and not (path.stem in wanted and path.suffix == SOUND):
                path.unlink(missing_ok=True)

    async def hear(
        self, source: Path, wishes: JobWishes, told: Progress | None = None
    ) -> Transcript:
        """What is said in a file.

        Raises:
            Rejected: it is no sound, or the model does not know the language.
        """
        pcm = source.with_suffix(PCM)
        asked = Wishes(wishes.language, words=wishes.words, prompt=wishes.prompt)
        try:
            recording = await asyncio.to_thread(decoded, source, pcm, stereo=wishes.stereo)
            async with self._turn:
                plan = await asyncio.to_thread(self.listener.plan, recording, asked)
            if told:
                await told(0.0, plan.seconds)

            async def hear_part(part: Part) -> list[Segment]:
                async with own, self._turn:
                    return await asyncio.to_thread(
                        self.listener.listen, recording, plan, part, asked
                    )

            own = asyncio.Semaphore(self.listener.workers)  # no more of one than can be heard
            found = await _in_order(plan, hear_part, told)
            return self.listener.transcript(recording, plan, found)
        finally:
            pcm.unlink(missing_ok=True)

    async def work(self) -> None:
        """Do jobs for ever, some at once."""
        async with asyncio.TaskGroup() as group:
            for _ in range(JOBS_AT_ONCE):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            try:
                job = await self._jobs.next()
                if job is not None:
                    async with self._jobs.hold(job.id):
                        await self._do(job)
                    continue
            except Rejected:  # another was quicker
                continue
            except Unavailable as exc:
                log.warning("speech.paused reason=%s", exc)
            await self._pause()

    async def _pause(self) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(LOOKS_EVERY_S):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _do(self, job: Waiting) -> None:
        source = self.place(job.id)

        async def told(done_s: float, of_s: float) -> None:
            log.info("speech.progress job=%s done_s=%.0f of_s=%.0f", job.id, done_s, of_s)
            with contextlib.suppress(Unavailable):  # who asks reads an older one
                await (
                    self._jobs.progress(job.id, done_s)
                    if done_s
                    else self._jobs.begin(job.id, of_s)
                )

        result: Transcript | str
        try:
            if job.source_url is not None and not source.exists():
                await self._fetch(job.source_url, source)
            if not source.exists():
                raise Rejected("its recording is not here any more: submit it again")
            result = await self.hear(source, job.wishes, told)
        except PotokError as exc:
            result = str(exc)
        except Exception as exc:  # a bug: this job fails, the others go on
            log.exception("speech.broke job=%s", job.id)
            result = f"it could not be listened to ({type(exc).__name__})"
        await self._jobs.end(job.id, result)
        self._ended()
        source.unlink(missing_ok=True)
        state = "failed" if isinstance(result, str) else "succeeded"
        log.info("speech.ended job=%s state=%s", job.id, state)

    async def _fetch(self, url: str, into: Path) -> None:
        part = into.with_suffix(PART)
        try:
            for number in range(FETCH_TRIES):
                try:
                    await self._outside.fetch(url, part, LIMIT_BYTES)
                except Unavailable:
                    if number + 1 == FETCH_TRIES:
                        raise
                    await asyncio.sleep(FETCH_PAUSE_S * 2**number)
                else:
                    part.replace(into)
                    return
        finally:
            part.unlink(missing_ok=True)


async def _in_order(
    plan: Plan,
    hear_part: Callable[[Part], Awaitable[list[Segment]]],
    told: Progress | None,
) -> list[list[Segment]]:
    """What was heard in each part, in their order; told as each is done."""
    done_s = 0.0

    async def one(part: Part) -> list[Segment]:
        nonlocal done_s
        found = await hear_part(part)
        done_s += part.span.seconds
        if told:
            await told(done_s, plan.seconds)
        return found

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(part)) for part in plan.parts]
    return [task.result() for task in tasks]
