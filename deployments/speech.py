"""The process of the speech service: ``python -m deployments.speech``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from deployments.llm_access import TABLE, addresses
from deployments.serving import Beside, run, serve_app
from deployments.settings import Settings
from deployments.speech_access import allowed, callback_secret
from lib.clients.outside import Outside
from lib.errors import Rejected
from lib.gateway.speech.app import Office, create_speech_app
from lib.router.keyring import Keyring
from lib.router.shelf import Shelf
from lib.speech.callbacks import Callbacks
from lib.speech.desk import Desk
from lib.speech.listener import Listener, Manner
from lib.speech.weights import ensure_weights
from lib.store.engine import Database
from lib.store.llm.keys import Keys
from lib.store.llm.rates import Rates
from lib.store.speech_jobs import SpeechJobs

STATEMENT_TIMEOUT_S = 5.0


@asynccontextmanager
async def office_of(settings: Settings) -> AsyncIterator[tuple[Office, Sequence[Beside]]]:
    """The service's parts, and what runs beside its doors."""
    if not settings.speech_model:
        raise Rejected("SPEECH_MODEL is not set: `base`, or a folder with a model for CTranslate2")
    folder = settings.home / "speech"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    listener = Listener(
        ensure_weights(settings.speech_model, settings.home),
        Path(settings.speech_model).name,
        device=settings.speech_device,
        compute_type=settings.speech_compute_type,
        threads=settings.speech_threads,
        workers=settings.speech_workers,
        manner=manner_of(settings),
    )
    database = Database(settings.database_url, 4, STATEMENT_TIMEOUT_S)
    jobs = SpeechJobs(database)
    shelf = Shelf(TABLE, addresses(settings))
    keyring = Keyring(Keys(database), Rates(database), lambda: shelf.table)
    async with Outside(allowed(settings)) as outside:
        callbacks = Callbacks(jobs, outside, callback_secret(settings))
        desk = Desk(listener, jobs, outside, folder, callbacks.wake)
        await desk.forget_left()
        beside = [shelf.watch, keyring.watch, desk.work, callbacks.send_always]
        try:
            yield Office(desk, jobs, keyring, outside, folder), beside
        finally:
            await database.close()


def manner_of(settings: Settings) -> Manner:
    """How the service listens.

    Raises:
        Rejected: what is set does not go together.
    """
    if settings.speech_batch > 1 and not settings.speech_vad:
        raise Rejected("SPEECH_BATCH above 1 hears what SPEECH_VAD finds: it cannot be off")
    return Manner(
        language=settings.speech_language,
        beam=settings.speech_beam,
        skips_silence=settings.speech_vad,
        batch=settings.speech_batch,
    )


async def serve(settings: Settings) -> None:
    """Answer until SIGTERM or SIGINT."""
    async with office_of(settings) as (office, beside):
        await serve_app(create_speech_app(office), settings.host, settings.speech_port, beside)


if __name__ == "__main__":
    run(serve)
