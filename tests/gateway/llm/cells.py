"""Which client may ask which provider for what: tests run these cells, and the documents show them.

A test claims its cells with ``@covers(DOOR, "feature")`` and runs once for each provider that has
them; ``@refuses(DOOR)`` runs for those that have not. `test_cells` sees that no cell is without a
test, and that docs/llm-dialects.md has this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

# A model of each: by an alias, or by its own name.
MODELS = {
    "ollama": "main",
    "openrouter": "deepseek/deepseek-r1-0528",
    "groq": "groq-fast",
    "anthropic": "claude-opus",
}
THINKERS = MODELS | {"ollama": "reasoning"}
VECTORS = {
    "ollama": "embed",
    "openrouter": "openrouter/qwen/qwen3-embedding-8b",
    "groq": "groq/openai/gpt-oss-20b",
    "anthropic": "anthropic/claude-opus-4-6",
}
FILLERS = MODELS | {"ollama": "qwen2.5-coder-autocomplete"}
TITLES = {
    "ollama": "Ollama",
    "openrouter": "OpenRouter",
    "groq": "Groq",
    "anthropic": "Anthropic",
}

BEGIN, END = "<!-- cells -->", "<!-- end of cells -->"
COVERED: set[tuple[str, str]] = set()
REFUSED = "refused"

_CHATS_ONLY = "it chats only"
_NO_VECTORS = "it has no embeddings"


@dataclass(frozen=True)
class Door:
    """A row: how a client asks.

    Attributes:
        client: the vendor whose SDK it is.
        path: what it posts to, and for what where that is not all of it.
        can: what it gives.
        lacks: the providers for which it is refused, each with the reason.
    """

    client: str
    path: str
    can: tuple[str, ...]
    lacks: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the row."""
        return f"{self.client} `{self.path}`"

    @property
    def providers(self) -> list[str]:
        """Those that can."""
        return [name for name in MODELS if name not in self.lacks]

    def cell(self, provider: str) -> str:
        """What the table says."""
        if provider in self.lacks:
            return f"— {self.lacks[provider]}"
        return f"✓ {', '.join(self.can)}"


_TALK = ("text", "stream", "tools", "JSON", "images", "thoughts", "system", "length")
_OLLAMA_ALONE = dict.fromkeys(("openrouter", "groq", "anthropic"), _CHATS_ONLY)
_WITH_VECTORS = dict.fromkeys(("groq", "anthropic"), _NO_VECTORS)

CHAT = Door("openai", "/v1/chat/completions", (*_TALK, "stop", "usage"))
RESPONSES = Door("openai", "/v1/responses", (*_TALK, "usage"))
COMPLETIONS = Door("openai", "/v1/completions", ("text", "stream", "length", "stop", "usage"))
MIDDLES = Door("openai", "/v1/completions, middles", ("text", "stream", "suffix"), _OLLAMA_ALONE)
EMBEDDINGS = Door("openai", "/v1/embeddings", ("floats", "base64"), _WITH_VECTORS)
MESSAGES = Door("anthropic", "/v1/messages", (*_TALK, "stop", "usage"))
COUNT = Door(
    "anthropic",
    "/v1/messages/count_tokens",
    ("count",),
)
OLLAMA_CHAT = Door("ollama", "/api/chat", (*_TALK, "stop", "usage"))
GENERATE = Door(
    "ollama",
    "/api/generate",
    ("text", "stream", "JSON", "images", "thoughts", "system", "length", "stop", "usage"),
)
RAW = Door("ollama", "/api/generate, raw or suffix", ("text", "stream", "suffix"), _OLLAMA_ALONE)
EMBED = Door("ollama", "/api/embed", ("floats",), _WITH_VECTORS)
GROQ_CHAT = Door("groq", "/v1/chat/completions", ("text", "stream", "tools", "thoughts"))

DOORS = (
    *(CHAT, RESPONSES, COMPLETIONS, MIDDLES, EMBEDDINGS, MESSAGES, COUNT),
    *(OLLAMA_CHAT, GENERATE, RAW, EMBED, GROQ_CHAT),
)


def covers(door: Door, *features: str) -> pytest.MarkDecorator:
    """The test shows that these work, with the ``provider`` that it is given."""
    for feature in features:
        assert feature in door.can, f"{door.name} has no cell for {feature!r}"
        COVERED.add((door.name, feature))
    return pytest.mark.parametrize("provider", door.providers)


def refuses(door: Door) -> pytest.MarkDecorator:
    """The test shows that the ``provider`` is refused clearly."""
    COVERED.add((door.name, REFUSED))
    return pytest.mark.parametrize("provider", list(door.lacks))


def markdown() -> str:
    """The table, between its marks."""
    head = ["client's SDK and door", *TITLES.values()]
    rows = [[door.name, *map(door.cell, TITLES)] for door in DOORS]
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{BEGIN}\n{table}\n{END}"
