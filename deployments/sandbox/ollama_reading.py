"""What is in a request to Ollama, and what it refuses.

Source: ollama fb30760 (server/routes.go, api/types.go), facts of 2026-11-22.
"""

from __future__ import annotations

import base64
import binascii
from itertools import takewhile
from typing import Any

from deployments.sandbox.model_reading import (
    check,
    count_in,
    function_of,
    last_text,
    object_in,
    objects_in,
    tools_in,
)
from deployments.sandbox.model_talk import Asked, Json, chars_in, tokens_of
from deployments.sandbox.ollama_models import LocalModel

USUAL_CTX = 4096
QUOTED_CHARS = 40


def context_in(body: Json) -> int:
    """The context that is asked for, tokens."""
    return count_in(object_in(body, "options"), "num_ctx") or USUAL_CTX


def chat_asked(body: Json, model: LocalModel) -> Asked:
    """The question of ``/api/chat``.

    Raises:
        Refused: it is none, or the model cannot do it.
    """
    check("completion" in model.skills, f'"{model.name}" does not support chat')
    messages = objects_in(body, "messages")
    for message in messages:
        _check_message(message)
    tools = tools_in(body, function_of)
    lacks = f"registry.ollama.ai/library/{model.name} does not support tools"
    check(not tools or "tools" in model.skills, lacks)
    answers = list(takewhile(lambda message: message["role"] == "tool", reversed(messages)))
    return Asked(
        text=last_text(messages),
        images=sum(_images_in(message) for message in messages),
        tool_answer="\n".join(str(a.get("content")) for a in reversed(answers)) or None,
        tools=tools,
        **_shared(body, model, [messages, body.get("tools")]),
    )


def prompt_asked(body: Json, model: LocalModel) -> Asked:
    """The question of ``/api/generate``; the answer says what came raw or has a suffix.

    Raises:
        Refused: it is none, or the model cannot do it.
    """
    check("completion" in model.skills, f'"{model.name}" does not support generate')
    prompt, suffix, raw = (body.get(name) or "" for name in ("prompt", "suffix", "raw"))
    check(isinstance(prompt, str) and isinstance(suffix, str), _unfit("GenerateRequest", "prompt"))
    lacks = f"registry.ollama.ai/library/{model.name} does not support insert"
    check(not suffix or "insert" in model.skills, lacks)
    shaped = any(body.get(name) for name in ("template", "system", "context"))
    check(not (raw and shaped), "raw mode does not support template, system, or context")
    echo = [f"raw:{prompt[:QUOTED_CHARS]}"] if raw else []
    echo += [f"suffix:{suffix[:QUOTED_CHARS]}"] if suffix else []
    return Asked(
        text=prompt,
        images=_images_in(body),
        echo=" ".join(echo),
        **_shared(body, model, [body.get("system"), prompt, suffix]),
    )


def _shared(body: Json, model: LocalModel, read: list[Any]) -> Json:
    """The fields of Asked that are read alike. What does not fit the context is cut off."""
    limit = object_in(body, "options").get("num_predict")
    return {
        "schema": _schema_in(body.get("format")),
        "thinks": _thinks(body, model) and not body.get("raw"),
        "max_tokens": limit if type(limit) is int and limit > 0 else None,
        "prompt_tokens": min(tokens_of(chars_in(read)), context_in(body)),
    }


def _check_message(message: Json) -> None:
    content = message.get("content")
    check(isinstance(message.get("role"), str), _unfit("Message", "role"))
    check(content is None or isinstance(content, str), _unfit("Message", "content"))
    for call in objects_in(message, "tool_calls"):
        arguments = object_in(call, "function").get("arguments")
        check(isinstance(arguments, dict), _unfit("ToolCallFunction", "arguments"))


def _images_in(holder: Json) -> int:
    images = holder.get("images") or []
    check(isinstance(images, list), _unfit("Message", "images"))
    for image in images:
        try:
            base64.b64decode(image, validate=True)
        except (binascii.Error, ValueError, TypeError):
            check(False, "illegal base64 data at input byte 4")
    return len(images)


def _schema_in(form: Any) -> Json | None:
    if form in (None, ""):
        return None
    check(form == "json" or isinstance(form, dict), f'invalid format: {form!r}; expected "json"')
    return form if isinstance(form, dict) else {}


def _thinks(body: Json, model: LocalModel) -> bool:
    """Who can think does, unless told not to; who cannot must not be told to."""
    think, can = body.get("think"), "thinking" in model.skills
    check(can or not think, f'"{model.name}" does not support thinking')
    return can if think is None else bool(think)


def _unfit(kind: str, name: str) -> str:
    return f"json: cannot unmarshal the value into Go struct field {kind}.{name}"
