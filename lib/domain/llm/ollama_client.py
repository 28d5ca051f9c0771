"""Clients that speak Ollama (Continue, its SDK), where the provider may be any.

Source: types of ollama 0.6.3; facts of Continue and Ollama, read 2026-11-22.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from lib.domain.llm.checked import objects, optional, required, texts
from lib.domain.llm.dialects import Stamp
from lib.domain.llm.fim import is_templated
from lib.domain.llm.ollama_fields import chat_fields_from, effort_from, response_format_from
from lib.domain.llm.ollama_lines import LineEncoder, Shape, iso_of
from lib.domain.llm.ollama_messages import chat_messages_from, content_with_images
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import NDJSON_MEDIA, Json

_DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "potok",
    "families": ["potok"],
    "parameter_size": "",
    "quantization_level": "",
}


class _OllamaClient:
    """What the two doors have in common."""

    media_type = NDJSON_MEDIA
    is_chat: bool

    def answer_from(self, answer: Json, asked: Json, stamp: Stamp) -> Json:
        """The whole answer, as Ollama gives it.

        Raises:
            Unavailable: a tool call's arguments are no JSON object: the model wrote garbage.
        """
        return Shape(self.is_chat, stamp).answer(answer)

    def encoder(self, asked: Json, stamp: Stamp) -> LineEncoder:
        """What makes the lines of a stream."""
        return LineEncoder(Shape(self.is_chat, stamp))

    def error_from(self, status: int, code: str, message: str) -> Json:
        """An error's body."""
        return {"error": message}


class OllamaChatClient(_OllamaClient):
    """A ``ClientDialect``: POST /api/chat."""

    is_chat = True

    def chat_from(self, body: Json) -> Json:
        """The chat request of a body.

        Raises:
            Rejected: the body is wrong.
        """
        tools = [{"type": "function", **tool} for tool in objects(body, "tools")]
        return _request_of(body, chat_messages_from(body)) | ({"tools": tools} if tools else {})


class OllamaGenerateClient(_OllamaClient):
    """A ``ClientDialect``: POST /api/generate, for prompts that a chat model can answer."""

    is_chat = False

    def chat_from(self, body: Json) -> Json:
        """The chat request of a body: its prompt is the user's message.

        Raises:
            Rejected: the body is wrong.
            NotForThisModel: it wants a text continued, which only Ollama's models do.
        """
        for key in ("suffix", "template", "context", "raw"):
            if body.get(key):
                raise NotForThisModel(f"`{key}`: this model chats only; an Ollama model takes it")
        prompt = optional(body, "prompt", str) or ""
        if is_templated(prompt):
            raise NotForThisModel("`prompt` has a template's tokens; this model chats only")
        if not prompt and not texts(body, "images"):
            required(body, "prompt", str)
        user = {"role": "user", "content": content_with_images(prompt, body)}
        system = optional(body, "system", str)
        return _request_of(
            body, [{"role": "system", "content": system}, user] if system else [user]
        )


def _request_of(body: Json, messages: list[Json]) -> Json:
    stream = optional(body, "stream", bool)
    chat: Json = {
        "model": required(body, "model", str),
        "messages": messages,
        "stream": stream is not False,  # Ollama streams unless told not to
        **chat_fields_from(optional(body, "options", dict) or {}),
    }
    if chat["stream"]:
        chat["stream_options"] = {"include_usage": True}
    if (effort := effort_from(body.get("think"))) is not None:
        chat["reasoning_effort"] = effort
    if (wanted := response_format_from(body)) is not None:
        chat["response_format"] = wanted
    return chat


def tags_from(names: Iterable[str], created: int) -> Json:
    """The body of GET /api/tags.

    Args:
        names: of the models.
        created: seconds since 1970.
    """
    return {
        "models": [
            {
                "name": name,
                "model": name,
                "modified_at": iso_of(created),
                "size": 0,
                # Ollama's own command cuts 12 characters out of it, and breaks on an empty one.
                "digest": hashlib.sha256(name.encode()).hexdigest(),
                "details": _DETAILS,
            }
            for name in names
        ]
    }


def show_from(name: str, *, embeds: bool = False) -> Json:
    """The body of POST /api/show for a model that is not Ollama's.

    The template has no ``.Suffix``: Continue takes that as a sign that it fills no middles.
    """
    return {
        "modelfile": "",
        "parameters": "",
        "template": "{{ .Prompt }}",
        "details": _DETAILS,
        "model_info": {"general.architecture": "potok", "general.basename": name},
        "capabilities": ["embedding"] if embeds else ["completion", "tools"],
    }
