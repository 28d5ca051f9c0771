"""Speech: the block with the address and key of our speech service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl, SecretStr

from blocks._batch import LeadBatch
from blocks._load import load_if_any
from blocks._shared import shared
from lib.store.events import TRANSCRIPTS, event
from lib.store.inbox import NewDelivery

if TYPE_CHECKING:
    from lib.clients.speech import Speech


class SpeechService(Block):
    """A speech service: recordings are submitted, and it calls back."""

    _block_type_name = "potok speech service"
    _block_type_slug = "potok-speech"
    _documentation_url = HttpUrl("https://github.com/SYSTRAN/faster-whisper")

    base_url: str = Field(description="As in http://127.0.0.1:8200.")
    api_key: SecretStr = Field(description="A key that may ask for `speech`.")
    callback_url: str = Field(description="The gateway's /hooks/speech, as the service sees it.")
    callback_secret: SecretStr = Field(description="whsec_…: what the service signs with.")
    language: str | None = Field(default=None, description="ISO 639-1; empty: as it is heard.")
    folder: str | None = Field(
        default=None, description="Recordings in it get their text beside them."
    )

    allowed_hosts: list[str] = Field(
        default_factory=list, description="host:port of private addresses that may be fetched."
    )

    def client(self) -> Speech:
        """The connection, shared by the runs of a process."""
        from lib.clients.speech import Speech  # most runs of `leads` hear nothing

        given = (self.base_url, self.api_key.get_secret_value())
        return shared(("speech", *given), lambda: Speech(*given))


async def ask_hearing(batch: LeadBatch, service: str = "main") -> list[NewDelivery]:
    """Events for the flow `transcripts`, of the batch's messages that have recordings.

    None where no speech service is configured: such messages are their captions then.
    """
    items = [item for item in batch.going if item.message.recordings]
    if not items or await load_if_any(SpeechService, service) is None:
        return []
    for item in items:
        item.is_to_be_heard = True
    ids = {item.delivery_id: item.key for item in items}
    return [event(TRANSCRIPTS, f"delivery:{i}", {"delivery_id": i}, ids[i]) for i in ids]
