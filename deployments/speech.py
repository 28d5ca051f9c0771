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
from lib.speech.listener import Listener
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
        workers=settings.speech_workers,
    )
    database = Database(settings.database_url, 4, STATEMENT_TIMEOUT_S)
    jobs = SpeechJobs(database)
    shelf = Shelf(TABLE, addresses(settings))
    keyring = Keyring(Keys(database), Rates(database), lambda: shelf.table)
    async with Outside(allowed(settings)) as outside:
        callbacks = Callbacks(jobs, outside, callback_secret(settings))
        desk = Desk(listener, jobs, outside, folder, callbacks.wake)
        beside = [shelf.watch, keyring.watch, desk.work, callbacks.send_always]
        try:
            yield Office(desk, jobs, keyring, outside, folder), beside
        finally:
            await database.close()


async def serve(settings: Settings) -> None:
    """Answer until SIGTERM or SIGINT."""
    async with office_of(settings) as (office, beside):
        await serve_app(create_speech_app(office), settings.host, settings.speech_port, beside)


if __name__ == "__main__":
    run(serve)
