"""Where the speech service is, who may use it, and what it signs with."""

from __future__ import annotations

import base64
import os
import secrets
from typing import TYPE_CHECKING

from pydantic import SecretStr

from deployments.settings import Settings
from lib.domain.llm.keys import key_hash
from lib.domain.llm.names import SPEECH
from lib.store.engine import Database
from lib.store.llm.keys import Keys, NewKey

if TYPE_CHECKING:
    from blocks.speech import SpeechService

KEY = "transcripts"  # the name of the flow's own key
BLOCK = "main"


def allowed(settings: Settings) -> frozenset[str]:
    """Private addresses that jobs may name: our own gateway, and those of SPEECH_ALLOWED_HOSTS."""
    named = (part.strip() for part in (settings.speech_allowed_hosts or "").split(","))
    return frozenset({f"127.0.0.1:{settings.port}", *filter(None, named)})


def callback_secret(settings: Settings) -> str:
    """What signs callbacks: SPEECH_CALLBACK_SECRET, or one that is made once for this home."""
    if settings.speech_callback_secret is not None:
        return settings.speech_callback_secret.get_secret_value()
    path = settings.home / "speech.secret"
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    made = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    with os.fdopen(file, "w") as written:
        written.write(made)
    return made


async def speech_block(settings: Settings, known: SpeechService | None) -> SpeechService | None:
    """The block that the environment describes; None: there is no speech service.

    Args:
        settings: what the environment says.
        known: the block as it is: its key is kept while it opens the service.
    """
    from blocks.speech import SpeechService  # Prefect: 0.9 s of CPU that the service starts without

    if not settings.has_speech:
        return None
    return SpeechService(
        base_url=settings.speech_url,
        api_key=settings.speech_api_key or SecretStr(await _own_key(settings, known)),
        callback_url=f"{settings.speech_gateway_url or settings.gateway_url}/hooks/speech",
        callback_secret=SecretStr(callback_secret(settings)),
        language=settings.speech_language,
        folder=str(settings.speech_folder) if settings.speech_folder else None,
        allowed_hosts=sorted(allowed(settings)),
    )


async def _own_key(settings: Settings, known: SpeechService | None) -> str:
    """A key of our own database, made anew when the one of the block opens nothing."""
    database = Database(settings.database_url, 1)
    keys = Keys(database)
    try:
        living = {key.name: key.hash for key in await keys.living()}
        secret = known.api_key.get_secret_value() if known else ""
        if living.get(KEY) == key_hash(secret):
            return secret
        if KEY in living:
            await keys.revoke(KEY)
        return await keys.create(NewKey(KEY, (SPEECH,)))
    finally:
        await database.close()
