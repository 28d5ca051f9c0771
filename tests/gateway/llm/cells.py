"""Which client dialect can be answered by which provider: what the tests run, and docs show."""

from __future__ import annotations

from deployments.settings import ROOT

PROVIDERS = ("Ollama", "OpenRouter", "Groq", "Anthropic")
DOCS = ROOT / "docs" / "llm-dialects.md"
TALKS = ("text", "stream", "tools", "tools in a stream")

# What each provider is asked for; Ollama's and OpenRouter's are reasoning models.
MODELS = {
    "Ollama": "main",
    "OpenRouter": "deepseek/deepseek-r1-0528",
    "Groq": "groq-fast",
    "Anthropic": "claude-opus",
}
NO_VECTORS = "— it has none"
NO_MIDDLE = "text, stream; no FIM"

# Door → client's SDK and what works, by provider.
DOORS: dict[str, tuple[str, dict[str, str]]] = {
    "`/v1/chat/completions`": ("openai", dict.fromkeys(PROVIDERS, ", ".join(TALKS))),
    "`/v1/responses`": ("openai", dict.fromkeys(PROVIDERS, ", ".join(TALKS))),
    "`/v1/messages`": ("anthropic", dict.fromkeys(PROVIDERS, ", ".join(TALKS))),
    "`/api/chat`": ("ollama", dict.fromkeys(PROVIDERS, ", ".join(TALKS))),
    "`/api/generate`": ("ollama", dict.fromkeys(PROVIDERS, "text, stream")),
    "`/v1/completions`": (
        "openai",
        dict.fromkeys(PROVIDERS, NO_MIDDLE) | {"Ollama": "text, stream, FIM"},
    ),
    "`/v1/embeddings`": (
        "openai",
        dict.fromkeys(PROVIDERS, NO_VECTORS)
        | dict.fromkeys(("Ollama", "OpenRouter"), "float, base64"),
    ),
    "`/api/embed`": (
        "ollama",
        dict.fromkeys(PROVIDERS, NO_VECTORS) | dict.fromkeys(("Ollama", "OpenRouter"), "float"),
    ),
    "`/v1/messages/count_tokens`": (
        "anthropic",
        dict.fromkeys(PROVIDERS, "estimated here") | {"Anthropic": "its own count"},
    ),
}


def table() -> str:
    """The table in Markdown."""
    lines = [
        "| door | asked by the SDK of | " + " | ".join(PROVIDERS) + " |",
        "|" + "---|" * (2 + len(PROVIDERS)),
    ]
    for door, (sdk, cells) in DOORS.items():
        told = " | ".join(cells[provider] for provider in PROVIDERS)
        lines.append(f"| {door} | {sdk} | {told} |")
    return "\n".join(lines)
