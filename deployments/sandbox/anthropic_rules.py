"""What Anthropic refuses: the rules of a request to ``/v1/messages``.

Source: platform.claude.com/docs/en/api/messages and facts of 2026-11-22.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from deployments.sandbox.model_reading import check, count_in, object_in, objects_in, text_of
from deployments.sandbox.model_talk import Json

_COUNTED = "messages model system thinking tool_choice tools output_config cache_control"
_MORE = (
    "max_tokens container context_management diagnostics inference_geo mcp_servers metadata "
    "service_tier speed stop_sequences stream temperature top_k top_p user_profile_id workspace_id"
)
_FIELDS = {True: {*_COUNTED.split()}, False: {*_COUNTED.split(), *_MORE.split()}}
_BLOCKS = {
    "user": {"text", "image", "document", "tool_result", "search_result"},
    "assistant": {"text", "thinking", "redacted_thinking", "tool_use"},
}
_SAMPLING = ("temperature", "top_p", "top_k")
_NO_PREFILL = re.compile(r"claude-(?:opus|sonnet)-(?:4-[6-9]|[5-9])")
_NO_SAMPLING = re.compile(r"claude-opus-(?:4-[7-9]|[5-9])")
LEAST_BUDGET = 1024


def signature_of(thought: str) -> str:
    """What proves that a thought was the model's own."""
    return hashlib.sha256(thought.encode("utf-8", "replace")).hexdigest()


def blocks_of(message: Json) -> list[Json]:
    """The content of a message as blocks."""
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return objects_in(message, "content")


def check_messages(body: Json, is_counted: bool = False) -> None:
    """Whether the messages and what goes with them are in order.

    Args:
        body: the request's.
        is_counted: it is only to be counted, so it has fewer fields.

    Raises:
        Refused: with the vendor's words.
    """
    for name in body:
        check(name in _FIELDS[is_counted], f"{name}: Extra inputs are not permitted")
    for name in ("model", "messages") if is_counted else ("model", "max_tokens", "messages"):
        check(body.get(name) is not None, f"{name}: Field required")
    messages = objects_in(body, "messages", least=1)
    for number, message in enumerate(messages):
        _check_blocks(number, message)
    check(messages[0]["role"] == "user", 'messages: first message must use the "user" role')
    _check_tool_answers(messages)
    _check_numbers(body)
    _check_thinking(body, messages)
    is_prefilled = messages[-1]["role"] == "assistant"
    check(
        not (is_prefilled and _NO_PREFILL.match(str(body["model"]))),
        "This model does not support assistant message prefill. "
        "The conversation must end with a user message.",
    )


def _check_blocks(number: int, message: Json) -> None:
    where, role = f"messages.{number}", str(message.get("role"))
    check(role in _BLOCKS, f"{where}.role: Input should be 'user' or 'assistant'")
    for name in message.keys() - {"role", "content"}:
        check(False, f"{where}.{name}: Extra inputs are not permitted")
    blocks = blocks_of(message)
    check(blocks, f"{where}: all messages must have non-empty content")
    for index, block in enumerate(blocks):
        kind, at = block.get("type"), f"{where}.content.{index}"
        check(isinstance(kind, str) and kind in _BLOCKS[role], f"{at}: unexpected type {kind!r}")
        if kind == "text":
            is_text = isinstance(block.get("text"), str)
            check(is_text and block["text"], "messages: text content blocks must be non-empty")
        elif kind == "tool_use":
            check(isinstance(block.get("input"), dict), f"{at}.tool_use.input: not a dictionary")
        elif kind == "thinking":
            is_own = block.get("signature") == signature_of(str(block.get("thinking")))
            check(is_own, f"{at}: Invalid `signature` in `thinking` block")


def _check_tool_answers(messages: list[Json]) -> None:
    """Each call is answered at once, in the next message, before anything else there."""
    waiting: list[Any] = []
    for number, message in enumerate(messages):
        blocks = blocks_of(message)
        kinds = [block["type"] for block in blocks]
        answered = [b.get("tool_use_id") for b in blocks if b["type"] == "tool_result"]
        for name in answered:
            check(
                name in waiting,
                f"messages.{number}: unexpected `tool_use_id` found in `tool_result`: {name}",
            )
        left = [name for name in waiting if name not in answered]
        is_first = all(kind == "tool_result" for kind in kinds[: len(answered)])
        check(
            not left and is_first,
            f"messages.{number - 1}: `tool_use` ids were found without `tool_result` blocks "
            f"immediately after: {', '.join(map(str, left))}",
        )
        waiting = [b.get("id") for b in blocks if b["type"] == "tool_use"]


def _check_numbers(body: Json) -> None:
    count_in(body, "max_tokens")
    is_hot = any(body.get(name) is not None for name in _SAMPLING)
    is_fixed = _NO_SAMPLING.match(str(body["model"]))
    check(not (is_hot and is_fixed), "`temperature`, `top_p` and `top_k` are not supported")
    heat = body.get("temperature")
    is_number = heat is None or (isinstance(heat, int | float) and 0 <= heat <= 1)
    check(is_number, "temperature: range: 0..1")
    for word in body.get("stop_sequences") or []:
        is_word = isinstance(word, str) and word.strip()
        check(is_word, "stop_sequences: each stop sequence must contain non-whitespace")


def _check_thinking(body: Json, messages: list[Json]) -> None:
    thinking = object_in(body, "thinking")
    if thinking.get("type") != "enabled":
        return
    budget = count_in(thinking, "budget_tokens") or 0
    check(
        budget >= LEAST_BUDGET,
        f"thinking.enabled.budget_tokens: Input should be greater than or equal to {LEAST_BUDGET}",
    )
    check(
        budget < (count_in(body, "max_tokens") or budget + 1),
        "`max_tokens` must be greater than `thinking.budget_tokens`",
    )
    check(
        object_in(body, "tool_choice").get("type", "auto") in ("auto", "none"),
        "Thinking may not be enabled when tool_choice forces tool use.",
    )
    check(body.get("temperature") in (None, 1), "`temperature` may only be set to 1 with thinking")
    answers = [m for m in messages if m["role"] == "assistant"]
    kinds = [block["type"] for block in blocks_of(answers[-1])] if answers else []
    check(
        "tool_use" not in kinds or kinds[0] in ("thinking", "redacted_thinking"),
        "Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is "
        "enabled, a final `assistant` message must start with a thinking block.",
    )


def tool_answer_in(messages: list[Json]) -> str | None:
    """What tools answered in the last message; None without any."""
    answers = [block for block in blocks_of(messages[-1]) if block["type"] == "tool_result"]
    return "\n".join(text_of(block.get("content")) for block in answers) or None
