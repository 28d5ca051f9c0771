"""Models: blocks with the providers' keys and the ways out, and tasks that ask the router.

The router is the one of the door, in this process: the same table, limits, fallbacks and records.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from httpx import codes
from prefect import get_client
from prefect.blocks.core import Block
from prefect.exceptions import PrefectHTTPStatusError
from prefect.runtime import flow_run
from pydantic import Field, HttpUrl, SecretStr, ValidationError

from blocks._load import BLOCK_FOR_S, load
from blocks._retry import retried
from blocks._shared import fresh, shared
from blocks.storage import Store
from lib.clients.providers import Providers
from lib.clients.ways import Egress, Ways
from lib.domain.llm import asks
from lib.domain.llm.exchange import Ask, Question
from lib.domain.llm.names import SPEECH
from lib.domain.llm.table import UnknownModel
from lib.domain.llm.transcriptions import Sound, transcription
from lib.domain.llm.wire import Json
from lib.domain.speech_jobs import JobWishes
from lib.domain.transcripts import Transcript
from lib.errors import PotokError, Rejected, Unavailable
from lib.router.board import Board
from lib.router.outcomes import CANNOT, NobodyAnswered, reason_of
from lib.router.record import Record
from lib.router.router import Router
from lib.router.shelf import Shelf
from lib.store.engine import Database
from lib.store.llm.cache import PostgresCache, RedisCache
from lib.store.llm.calls import Calls
from lib.store.llm.health import Healths
from lib.store.llm.slots import Slots

log = logging.getLogger(__name__)

HEALTH_FOR_S = 5.0
HEAD_BYTES = 64


class ModelProvider(Block):
    """A provider's key; its name is what the table calls ``credential``."""

    _block_type_name = "potok model provider"
    _block_type_slug = "potok-model-provider"
    _documentation_url = HttpUrl("https://openrouter.ai/docs/api-reference/authentication")

    api_key: SecretStr = Field(description="What the provider asks for.")


class EgressWay(Block):
    """A way out to providers; its name is what the table calls ``egress``."""

    _block_type_name = "potok egress"
    _block_type_slug = "potok-egress"
    _documentation_url = HttpUrl("https://github.com/romis2012/aiohttp-socks")

    proxy: SecretStr | None = Field(default=None, description="http:// or socks5:// address.")
    dns: list[str] = Field(default_factory=list, description="DNS servers to ask instead.")


class ModelRouter(Block):
    """Where the table of models is."""

    _block_type_name = "potok model router"
    _block_type_slug = "potok-model-router"
    _documentation_url = HttpUrl("https://docs.prefect.io/v3")

    table: str = Field(description="Path of llm.yaml.")
    addresses: dict[str, str] = Field(
        default_factory=dict, description="Base URLs that count over the table's, by kind."
    )
    redis_url: SecretStr | None = Field(default=None, description="Where answers are kept, if any.")

    async def open(self) -> tuple[Router, Database]:
        """The router and our database, shared by the runs of a process."""
        database = (await load(Store, "main")).database()
        given = (self.table, *sorted(self.addresses.items()))
        router = shared(("router", given), lambda: self._router(database))
        router.shelf.look()
        keys = await fresh(("model keys",), _keys, BLOCK_FOR_S)
        router.credential = keys.get
        await router.providers.ways.set(await fresh(("egresses",), _egresses, BLOCK_FOR_S))
        await fresh(("health",), router.board.read, HEALTH_FOR_S)
        return router, database

    def _router(self, database: Database) -> Router:
        redis = self.redis_url
        cache = RedisCache(redis.get_secret_value()) if redis else PostgresCache(database)
        return Router(
            Shelf(Path(self.table), self.addresses),
            Providers(Ways()),
            dict[str, str]().get,
            Board(Healths(database)),
            Slots(database),
            cache,
        )


@retried
async def complete(alias: str, messages: Sequence[Json], **options: Any) -> Json:
    """A chat completion by whoever answers for an alias.

    Args:
        alias: of the table, or a real model.
        messages: OpenAI chat messages.
        options: of the request: ``temperature``, ``tools``, ``response_format`` and so on.

    Returns:
        OpenAI's chat completion.

    Raises:
        Rejected: the request is wrong.
        Unavailable: no candidate answered.
    """
    body = {"model": alias, "messages": list(messages), **options, "stream": False}
    return await _asked(asks.chat(Question(body, b"", {})))


@retried
async def embed(texts: Sequence[str], alias: str = "embed") -> list[list[float]]:
    """Vectors of texts, in their order.

    Returns:
        One for each text; float, as long as the model's are.

    Raises:
        Rejected: the request is wrong.
        Unavailable: no candidate answered.
    """
    body = {"model": alias, "input": list(texts)}
    answer = await _asked(asks.embeddings(Question(body, b"", {})))
    return [entry["embedding"] for entry in answer["data"]]


@retried
async def transcribe(
    sound: Path,
    *,
    language: str | None = None,
    words: bool = False,
    prompt: str | None = None,
    alias: str = SPEECH,
) -> Transcript:
    """What is said in a recording, by whoever hears for an alias.

    Args:
        sound: the recording, as it came: OGG, MP3, M4A, WAV, FLAC or WebM.
        language: ISO 639-1; None: as it is heard.
        words: with the times of each word.
        prompt: words that are likely in it, such as names.
        alias: of the table, or a real model.

    Raises:
        Rejected: it is no recording, a wish is wrong, or it is too large for every candidate.
        Unavailable: nobody heard it: no candidate answered, none has a key, or the table has no
            such alias.
    """
    try:
        wishes = JobWishes(language=language, words=words, prompt=prompt)
    except ValidationError as exc:
        raise Rejected(f"`{exc.errors()[0]['loc'][0]}` is not such as is taken") from None
    ask = transcription(alias, await asyncio.to_thread(_sound_at, sound), wishes)
    try:
        return Transcript.model_validate(await _asked(ask))
    except UnknownModel as exc:
        raise Unavailable(f"nobody hears recordings here: {exc}") from exc
    except NobodyAnswered as exc:
        if {each.reason for each in exc.tries} == {CANNOT}:
            raise Rejected(str(exc)) from exc
        raise


def _sound_at(path: Path) -> Sound:
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        size_bytes = path.stat().st_size
    except OSError as exc:
        raise Rejected(f"the recording cannot be read: {exc.strerror}") from exc
    if not head:
        raise Rejected("the recording is empty")
    return Sound(path, size_bytes, head)


async def _asked(ask: Ask) -> Json:
    router, database = await (await load(ModelRouter, "main")).open()
    record = Record(f"flow {flow_run.flow_name or 'unknown'}", None, ask.door, ask.name)
    try:
        router.check(ask)
        raw = await router.answer(ask, record)
    except PotokError as exc:
        record.ended(*_end_of(exc), reason_of(exc))
        raise
    finally:
        await _written(database, record)
    answer: Json = orjson.loads(raw)
    return answer


def _end_of(error: PotokError) -> tuple[str, int]:
    """Outcome and status, as the door would record them."""
    if isinstance(error, UnknownModel):
        return "refused", 404
    return ("refused", 400) if isinstance(error, Rejected) else ("failed", 502)


async def _written(database: Database, record: Record) -> None:
    try:
        await Calls(database).write([record.call()])
    except Unavailable as exc:
        log.warning("call.not_written reason=%s", exc)


async def _keys() -> dict[str, str]:
    return {name: values["api_key"] for name, values in (await _documents(ModelProvider)).items()}


async def _egresses() -> dict[str, Egress]:
    return {name: Egress.of(values) for name, values in (await _documents(EgressWay)).items()}


async def _documents(kind: type[Block]) -> dict[str, dict[str, Any]]:
    """The blocks of a type by name, with their secrets."""
    async with get_client() as client:
        try:
            found = await client.read_block_documents_by_type(
                kind.get_block_type_slug(), include_secrets=True
            )
        except PrefectHTTPStatusError as exc:
            if exc.response.status_code != codes.NOT_FOUND:
                raise
            return {}  # nobody has ever made one
    return {each.name: each.data for each in found if each.name}
