"""Our own service as a provider of the table: like OpenAI's, asked by the router's client."""

from __future__ import annotations

import asyncio

from lib.clients.providers import Providers, read
from lib.clients.ways import Ways
from lib.domain.llm.dialects import Stamp
from lib.domain.llm.table import Candidate, Provider
from lib.domain.llm.transcriptions import Sound, transcription
from lib.domain.speech_jobs import JobWishes
from lib.domain.transcripts import Transcript
from tests.gateway.speech.conftest import Service
from tests.speech.conftest import DATA, SAID
from tests.speech.errors import character_errors

CLIP = DATA / "ru_0037.ogg"


async def test_the_router_s_client_has_a_recording_heard(service: Service) -> None:
    key = service.http.headers["authorization"].removeprefix("Bearer ")
    provider = Provider(kind="openai", base_url=f"{str(service.http.base_url).rstrip('/')}/v1")
    raw = await asyncio.to_thread(CLIP.read_bytes)
    ask = transcription("speech", Sound(CLIP, len(raw), raw[:64]), JobWishes(words=True))
    candidate = Candidate(provider="ours", model="base")
    exchange = ask.exchange("openai", candidate, Stamp("s", 0, "base"))
    ways = Ways()
    try:
        asked = Providers(ways).asked(provider, key, exchange.path, exchange.form)
        async with asked as response:
            whole = exchange.whole(await read(response))
    finally:
        await ways.close()
    found = Transcript.model_validate_json(whole.body)
    assert found.language == "ru"
    assert character_errors(SAID[CLIP.name], found.text) < 0.05
    assert whole.usage.sound_s == found.duration_s > 1
    for segment in found.segments:
        assert 0 < segment.confidence < 1
        assert segment.words
