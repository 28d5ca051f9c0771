"""What to set in each tool for a key, as ``potok llm key create`` prints it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lib.domain.llm.names import ALL, SPEECH, is_pattern
from lib.domain.llm.table import Table

FOR_EDITORS = "autocomplete"  # in the name of an alias that fills in middles


@dataclass(frozen=True, slots=True)
class _May:
    """What a key may ask for.

    Attributes:
        chats: aliases and real models that talk.
        fills: aliases for an editor's autocomplete.
        vectors: aliases that give vectors.
        hears: it may ask the speech service.
    """

    chats: Sequence[str]
    fills: Sequence[str]
    vectors: Sequence[str]
    hears: bool


def settings_of_tools(
    url: str, table: Table, names: Sequence[str], speech_url: str | None = None
) -> dict[str, object]:
    """What to set in each tool, a line each; nothing of chats for a key that gets vectors alone.

    Args:
        url: of the door, without ``/v1``.
        names: what the key may ask for.
        speech_url: of the speech service; None: it is not configured.
    """
    may = _may(table, names)
    lines: dict[str, object] = {}
    if may.chats or may.fills or may.vectors:
        lines["OpenAI clients"] = f"base_url={url}/v1, the key as api_key"
        lines["Ollama clients"] = f'{url}, and the header "Authorization: Bearer <the key>"'
    if may.hears and (speech_url or SPEECH in names):
        where = f"base_url={speech_url}/v1" if speech_url else "set SPEECH_MODEL, then `potok up`"
        lines["Speech to text"] = f"{where}, the key as api_key"
    if may.chats:
        lines |= _of_chats(url, may)
    if may.fills:
        lines["Continue, autocomplete"] = _continue(url, may.fills[0], "autocomplete")
    if may.vectors:
        lines["Continue, embeddings"] = _continue(url, may.vectors[0], "embed")
        lines["Dify, embeddings"] = f"{_dify(url, may.vectors[0])}, model type Text Embedding"
    return lines


def _of_chats(url: str, may: _May) -> dict[str, object]:
    model = may.chats[0]
    claude = next((name for name in may.chats if name.startswith("claude")), model)
    small = "fast" if "fast" in may.chats else model
    models = f"ANTHROPIC_MODEL={claude} ANTHROPIC_DEFAULT_HAIKU_MODEL={small}"
    return {
        "Anthropic clients": f"base_url={url} (without /v1), the key as api_key",
        "Continue": _continue(url, model, "chat"),
        "Cursor": "OpenAI API Key: the key; Override OpenAI Base URL: https://<public name>/v1,"
        f" passed on to {url}; add the model {model}",
        "Claude Code": f"ANTHROPIC_BASE_URL={url} ANTHROPIC_AUTH_TOKEN=<the key> {models}",
        "Open WebUI": f"OPENAI_API_BASE_URL={url}/v1 OPENAI_API_KEY=<the key>, task model {small}",
        "Dify": f"{_dify(url, model)}, completion mode Chat, function calling Tool Call",
    }


def _may(table: Table, names: Sequence[str]) -> _May:
    aliases = [name for name in table.aliases if ALL in names or name in names]
    chats = [name for name in aliases if table.aliases[name].gives == "words"]
    fills = [name for name in chats if FOR_EDITORS in name]
    real = [name for name in names if name not in (*table.aliases, ALL, SPEECH)]
    shown = [f"{name[:-1]}<model id>" if is_pattern(name) else name for name in real]
    talking = [name for name in chats if name not in fills] + shown
    vectors = [name for name in aliases if table.aliases[name].embeds]
    return _May(talking, fills, vectors, bool({SPEECH, ALL} & set(names)))


def _continue(url: str, model: str, role: str) -> str:
    return f"provider: openai, model: {model}, apiBase: {url}/v1, apiKey: the key, roles: [{role}]"


def _dify(url: str, model: str) -> str:
    return f"OpenAI-API-compatible, model {model}, API endpoint URL {url}/v1, API key: the key"
