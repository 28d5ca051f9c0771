"""The fields of Ollama's requests, and where they stand in a chat request.

Source: facts of Ollama's server (source fb30760) and SDK 0.6.3, read 2026-11-22.
"""

from __future__ import annotations

from lib.domain.llm.checked import optional, required, texts
from lib.domain.llm.dialects import Options
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Json
from lib.errors import Rejected

KNOBS = {  # a field of the chat request: the same among Ollama's options
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "repetition_penalty": "repeat_penalty",
}
_OF_TEMPERATURE = {"temperature", "top_p", "top_k"}


def request_of(asked: Json, options: Options, fields: Json) -> Json:
    """A request to Ollama: ``fields``, and what every one has.

    ``stream`` is always said, for Ollama streams unless told not to. ``num_ctx`` and
    ``keep_alive`` are the table's alone: a change of the first loads the model anew.

    Args:
        asked: a chat request, or OpenAI's body of a completion.
    """
    extra = dict(options.extra or {})
    request: Json = {
        "model": required(asked, "model", str),
        "stream": bool(optional(asked, "stream", bool)),
        **fields,
        "options": {**extra.pop("options", {}), **_options_from(asked, options)},
    }
    if options.keep_alive is not None:
        request["keep_alive"] = options.keep_alive
    return request | extra


def _options_from(asked: Json, options: Options) -> Json:
    found = {
        name: optional(asked, field, float)
        for field, name in KNOBS.items()
        if options.temperature or field not in _OF_TEMPERATURE
    }
    limit = optional(asked, "max_completion_tokens", int)
    if limit is None:
        limit = optional(asked, "max_tokens", int)
    found["num_predict"] = options.max_tokens if limit is None else limit
    found["num_ctx"] = options.num_ctx
    given: Json = {name: value for name, value in found.items() if value is not None}
    if stop := texts(asked, "stop"):
        given["stop"] = stop
    return given


def chat_fields_from(options: Json) -> Json:
    """The fields of a chat request for Ollama's options; those of loading a model are left out."""
    fields: Json = {field: optional(options, name, float) for field, name in KNOBS.items()}
    limit = optional(options, "num_predict", int)
    fields["max_tokens"] = limit if limit and limit > 0 else None  # -1: endless, -2: the context
    fields["stop"] = texts(options, "stop") or None
    return {field: value for field, value in fields.items() if value is not None}


def think_from(effort: str | None, options: Options) -> bool | str | None:
    """Ollama's ``think`` for OpenAI's ``reasoning_effort``; None: do not say.

    A model that can think does unless told not to, and one that cannot refuses ``true``: so
    ``true`` is said only where the table knows that the model can.

    Args:
        options: a level in ``think`` says that the model takes levels.
    """
    if effort not in _EFFORTS:
        raise Rejected("`reasoning_effort` must be none, minimal, low, medium, high, xhigh or max")
    if effort == "none":
        return False
    if effort is None or options.think is None:
        return options.think
    if isinstance(options.think, str):
        return _LEVELS.get(effort, effort)
    return True


_EFFORTS = (None, "none", "minimal", "low", "medium", "high", "xhigh", "max")
_LEVELS = {"minimal": "low", "xhigh": "max"}


def effort_from(think: object) -> str | None:
    """OpenAI's ``reasoning_effort`` for Ollama's ``think``; plain ``true`` is ``medium``."""
    if think is None or isinstance(think, bool):
        return {None: None, True: "medium", False: "none"}[think]
    if think not in ("low", "medium", "high", "max"):
        raise Rejected("`think` must be true, false, low, medium, high or max")
    return str(think)


def format_from(chat: Json) -> str | Json | None:
    """Ollama's ``format`` for OpenAI's ``response_format``; None: free text."""
    wanted = optional(chat, "response_format", dict) or {"type": "text"}
    kind = wanted.get("type")
    if kind == "json_schema":
        holder = required(wanted, "json_schema", dict, "response_format.")
        return optional(holder, "schema", dict, "response_format.json_schema.") or "json"
    if kind not in ("text", "json_object"):
        raise NotForThisModel("`response_format.type` must be text, json_object or json_schema")
    return "json" if kind == "json_object" else None


def response_format_from(body: Json) -> Json | None:
    """OpenAI's ``response_format`` for Ollama's ``format``; None: free text."""
    wanted = body.get("format")
    if not wanted:
        return None
    if wanted == "json":
        return {"type": "json_object"}
    if not isinstance(wanted, dict):
        raise Rejected("`format` must be json or a JSON schema")
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted}}
