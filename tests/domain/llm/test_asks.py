"""What each kind of provider is asked for a client's question."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from lib.domain.llm import asks
from lib.domain.llm.dialects import Stamp
from lib.domain.llm.exchange import Ask, Question
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.table import Candidate
from lib.errors import Rejected

STAMP = Stamp("a1", 0, "m")
CANDIDATE = Candidate(provider="p", model="their-model")


def question(**body: Any) -> Question:
    body = {"model": "m"} | body
    return Question(body, orjson.dumps(body), {})


PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf"}}
NATIVE_ONLY: list[tuple[Ask, Any]] = [
    (asks.ollama_generate(question(prompt="<|fim_prefix|>a", raw=True)), "ollama"),
    (asks.ollama_generate(question(prompt="a", suffix="b")), "ollama"),
    (
        asks.messages(question(max_tokens=9, messages=[{"role": "user", "content": [PDF]}])),
        "anthropic",
    ),
    (
        asks.messages(question(max_tokens=9, messages=[], mcp_servers=[{"type": "url"}])),
        "anthropic",
    ),
]


@pytest.mark.parametrize(("ask", "kind"), NATIVE_ONLY)
def test_what_cannot_be_translated_goes_to_who_speaks_it(ask: Ask, kind: Any) -> None:
    sent = orjson.loads(ask.exchange(kind, CANDIDATE, STAMP).payload)
    assert sent == {**ask.text, "model": "their-model"}
    with pytest.raises(NotForThisModel):
        ask.exchange("groq", CANDIDATE, STAMP)


def test_a_wrong_question_of_a_translated_dialect_is_told_at_once() -> None:
    with pytest.raises(Rejected, match="messages"):
        asks.chat(question(messages=[]))
