"""The language model: the block with its address and key, and the task that reads inquiries."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from prefect import task
from prefect.blocks.core import Block
from prefect.cache_policies import NO_CACHE
from pydantic import Field, HttpUrl, SecretStr

from blocks._batch import BatchItem, LeadBatch
from blocks._shared import shared
from lib.clients.llm import Llm
from lib.domain.inbound import InboundMessage
from lib.domain.inquiry import rules_inquiry
from lib.domain.llm_reading import (
    SCHEMA_NAME,
    LlmAnswer,
    llm_answer_from,
    merge_readings,
    messages_for,
)
from lib.errors import Denied, PotokError

log = logging.getLogger(__name__)

AT_ONCE = 32
SCHEMA = LlmAnswer.model_json_schema()

Asker = Callable[[InboundMessage], Coroutine[Any, Any, LlmAnswer | None]]


class LanguageModel(Block):
    """An OpenAI-compatible language model."""

    _block_type_name = "potok language model"
    _block_type_slug = "potok-llm"
    _documentation_url = HttpUrl("https://platform.openai.com/docs/api-reference/chat")

    base_url: str = Field(description="As in https://host/v1.")
    api_key: SecretStr = Field(description="What the server asks for; any word if it asks none.")
    model: str = Field(description="The model's name there.")
    timeout_s: float = Field(default=15.0, description="After this the rules decide alone.")

    def client(self) -> Llm:
        """The connection, shared by the runs of a process."""
        given = (self.base_url, self.api_key.get_secret_value(), self.model, self.timeout_s)
        return shared(("llm", *given), lambda: Llm(*given))


@task(cache_policy=NO_CACHE)
async def read_inquiries(model: LanguageModel | None, batch: LeadBatch) -> LeadBatch:
    """Read every message by rules and by the model, all at once; each fails alone.

    A model that does not answer in time costs its reading, not the lead: the rules decide then.
    """
    ask = _asker(model) if model else None

    async def read(item: BatchItem) -> None:
        started = time.monotonic()
        asking = asyncio.create_task(ask(item.message)) if ask else None
        await asyncio.sleep(0)  # the question goes out first: the rules work while it is away
        rules = rules_inquiry(item.message)
        item.inquiry = merge_readings(item.message, rules, await asking if asking else None)
        item.ms["read"] = round((time.monotonic() - started) * 1000)

    await batch.each(read, [item for item in batch.going if item.inquiry is None])
    return batch


def _asker(model: LanguageModel) -> Asker:
    """Asks the model about one message; gives None when there is no answer that can be used."""
    llm = model.client()
    gate = asyncio.Semaphore(AT_ONCE)
    # However many messages there are, a model that hangs may hold up their batch only this long.
    deadline = asyncio.get_running_loop().time() + 2 * model.timeout_s

    async def ask(message: InboundMessage) -> LlmAnswer | None:
        try:
            async with gate, asyncio.timeout_at(deadline):
                answer = await llm.complete_json(messages_for(message), SCHEMA_NAME, SCHEMA)
        except Denied as exc:
            log.error("llm.denied ref=%s reason=%s", message.ref, exc)
            return None
        except (PotokError, TimeoutError) as exc:
            log.warning("llm.no_answer ref=%s reason=%s", message.ref, exc or "too late")
            return None
        reading = llm_answer_from(answer)
        if reading is None:
            log.warning("llm.nonsense ref=%s", message.ref)
        return reading

    return ask
