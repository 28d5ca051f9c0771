"""What a first run would be slow at, done once in the template that every spare is forked from.

Measured on 2 cores: a fresh process spends 0.6 s of CPU on its first run and 0.17 s on the next.
Nothing here opens a connection or starts a thread, for neither survives a fork.
"""

from __future__ import annotations

import importlib
from datetime import UTC, datetime

from prefect._internal.schemas.bases import PrefectBaseModel

from lib.domain.inbound import Body, Chat, InboundMessage, Sender
from lib.domain.inquiry import rules_inquiry
from lib.domain.llm_reading import messages_for
from lib.domain.names import load_names

# Imported by the engine and the clients when they are first used.
LATE = (
    "aiohttp",
    "prefect._internal.states",
    "prefect.concurrency._sync",
    "prefect.task_engine",
    "prefect.utilities.visualization",
    "rich._emoji_codes",
    "text_unidecode",
)


def rehearse() -> None:
    """Import, build and read what the first message would."""
    for name in LATE:
        importlib.import_module(name)
    _complete(PrefectBaseModel)
    message = InboundMessage(
        event_id="rehearsal",
        source="telegram",
        account="rehearsal",
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
        chat=Chat(id=1),
        message=Body(id=1, text="Здравствуйте, нужен кредит 5 млн. Анна Петрова, 8 916 123-45-67"),
        sender=Sender(id=1, display_name="Анна"),
    )
    load_names()
    rules_inquiry(message)
    messages_for(message)


def _complete(model: type[PrefectBaseModel]) -> None:
    """Build the validators that Prefect's models put off until they are first used."""
    for kind in model.__subclasses__():
        if not kind.__pydantic_complete__:
            kind.model_rebuild(raise_errors=False)
        _complete(kind)
