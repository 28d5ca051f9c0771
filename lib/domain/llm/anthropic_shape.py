"""What both directions of Anthropic's Messages share: strict reading, stop reasons, usage.

Source: types of anthropic 2.14.0 (``StopReason``, ``Usage``), read 2026-11-25.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import orjson

from lib.domain.llm.checked import WORDS, is_a
from lib.domain.llm.loose import a_text, an_object
from lib.domain.llm.wire import Json
from lib.errors import Rejected

T = TypeVar("T")

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_COUNT_AT_MOST = 2**50  # their sums can still be written


def need(value: Any, kind: type[T], where: str) -> T:
    """The value, if it is of the kind.

    Args:
        value: any JSON.
        kind: str, int, float (whole numbers too), bool, dict or list.
        where: its path, for the one who sent it.

    Raises:
        Rejected: it is missing or of another kind.
    """
    if is_a(value, kind):
        return cast("T", value)
    state = "missing" if value is None else "of the wrong kind"
    raise Rejected(f"{where} is {state}: {WORDS[kind]} is needed")


def objects(value: Any, where: str) -> list[Json]:
    """The objects of a list; raises Rejected when it is none, or holds anything else."""
    return [need(item, dict, f"{where}[{n}]") for n, item in enumerate(need(value, list, where))]


def json_text(value: Any) -> str | None:
    """The value as JSON; None when it cannot be written, being nested too deep."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return None


def stop_reason_from(finish_reason: Any, has_calls: bool) -> str:
    """Anthropic's reason. Some providers say ``stop`` after a call, which would end the loop."""
    reason = _STOP_REASONS.get(a_text(finish_reason), "end_turn")
    return "tool_use" if has_calls and reason == "end_turn" else reason


def chat_usage_from(usage: Any) -> Json:
    """Chat's usage, whose prompt includes what was read from the cache and written to it."""
    read = _count(usage, "cache_read_input_tokens")
    written = _count(usage, "cache_creation_input_tokens")
    prompt = _count(usage, "input_tokens") + read + written
    completion = _count(usage, "output_tokens")
    thought = _count(an_object(usage).get("output_tokens_details"), "thinking_tokens")
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def usage_from(usage: Any) -> Json:
    """Anthropic's usage of a chat's; zeros for what is not said."""
    details = an_object(usage).get("prompt_tokens_details")
    read, written = _count(details, "cached_tokens"), _count(details, "cache_write_tokens")
    found = {
        "input_tokens": max(0, _count(usage, "prompt_tokens") - read - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": _count(usage, "completion_tokens"),
    }
    thought = _count(an_object(usage).get("completion_tokens_details"), "reasoning_tokens")
    return found | ({"output_tokens_details": {"thinking_tokens": thought}} if thought else {})


def _count(fields: Any, key: str) -> int:
    value = an_object(fields).get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return value if 0 <= value <= _COUNT_AT_MOST else 0
