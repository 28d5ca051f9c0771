"""The doors of the speech service: OpenAI's for who waits, and jobs for who is called back.

Source: platform.openai.com/docs/api-reference/audio/createTranscription, read 2026-11-22; shared
contract of jobs.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lib.clients.outside import Outside
from lib.domain.llm.names import SPEECH
from lib.domain.llm.openai_client import OpenAiClient
from lib.domain.speech_jobs import told
from lib.domain.transcripts import written
from lib.errors import PotokError, Rejected
from lib.gateway.headers import BoundedHeaders
from lib.gateway.llm.door import secret_in
from lib.gateway.llm.errors import answer_from
from lib.gateway.speech.forms import form_of
from lib.router.keyring import Keyring
from lib.speech.desk import SOUND, Desk
from lib.store.failures import StatementFailed
from lib.store.llm.keys import Key
from lib.store.speech_jobs import NewJob, SpeechJobs

log = logging.getLogger(__name__)

IDEMPOTENCY_CHARS = 255


class NoSuchJob(Rejected):
    """The key has no such job."""


@dataclass(frozen=True, slots=True)
class Office:
    """What every door needs.

    Attributes:
        folder: where a recording lies while somebody waits for its text.
    """

    desk: Desk
    jobs: SpeechJobs
    keyring: Keyring
    outside: Outside
    folder: Path


def create_speech_app(office: Office) -> Starlette:
    """The service as an ASGI application."""

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "model": office.desk.listener.name})

    app = Starlette(
        routes=[
            Route("/v1/audio/transcriptions", _door(office, _transcribe), methods=["POST"]),
            Route("/v1/jobs", _door(office, _submit), methods=["POST"]),
            Route("/v1/jobs/{job_id}", _door(office, _show)),
            Route("/healthz", health),
        ]
    )
    app.add_middleware(BoundedHeaders)
    return app


async def _transcribe(office: Office, request: Request, key: Key) -> Response:
    source = office.folder / f"{uuid4()}{SOUND}"
    try:
        asked = await form_of(request, source)
        if asked.url is not None:
            raise Rejected("`file` is missing; a recording by `url` is a job: POST /v1/jobs")
        office.desk.listener.check(asked.wishes.language)
        transcript = await office.desk.hear(source, asked.wishes)
    finally:
        source.unlink(missing_ok=True)
    said = written(transcript, asked.form, words=asked.wishes.words)
    return PlainTextResponse(said) if isinstance(said, str) else JSONResponse(said)


async def _submit(office: Office, request: Request, key: Key) -> Response:
    job_id = uuid4()
    source, accepted = office.desk.place(job_id), None
    try:
        asked = await form_of(request, source)
        office.desk.listener.check(asked.wishes.language)
        for url in filter(None, (asked.url, asked.callback_url)):
            office.outside.check(url)
        new = NewJob(
            job_id,
            key.id,
            asked.wishes,
            _idempotency_key(request),
            asked.client_ref,
            asked.url,
            asked.callback_url,
        )
        accepted = await office.jobs.accept(new)
    finally:
        if accepted != job_id:  # refused, or known before
            source.unlink(missing_ok=True)
    office.desk.wake()
    job = await office.jobs.show(accepted, key.id)
    assert job is not None
    body = {"job_id": job.id, "status": job.state, "client_ref": job.client_ref}
    return JSONResponse(body, 202, {"location": f"/v1/jobs/{job.id}"})


async def _show(office: Office, request: Request, key: Key) -> Response:
    try:
        job_id = UUID(request.path_params["job_id"])
    except ValueError as exc:
        raise NoSuchJob("a job's id is a UUID") from exc
    job = await office.jobs.show(job_id, key.id)
    if job is None:
        raise NoSuchJob("this key has no such job")
    return JSONResponse(told(job))


def _door(
    office: Office, work: Callable[[Office, Request, Key], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """Work that needs a key; its errors in OpenAI's dialect."""

    async def answered(request: Request) -> Response:
        try:
            key = await office.keyring.find(secret_in(request))
            office.keyring.check_name(key, SPEECH)
            await office.keyring.admit(key)
            return await work(office, request, key)
        except NoSuchJob as exc:
            return JSONResponse(OpenAiClient().error_from(404, "no_such_job", str(exc)), 404)
        except (PotokError, StatementFailed) as exc:
            answer = answer_from(exc)
            log.info("speech.refused status=%d kind=%s", answer.status, type(exc).__name__)
            body = OpenAiClient().error_from(answer.status, answer.code, answer.words)
            return JSONResponse(body, answer.status, answer.headers)

    return answered


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= IDEMPOTENCY_CHARS:
        raise Rejected(f"Idempotency-Key is 1 to {IDEMPOTENCY_CHARS} characters")
    return key
