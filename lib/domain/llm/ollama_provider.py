"""Ollama as a provider: its native chat, for its OpenAI door knows neither num_ctx nor keep_alive.

What Ollama lacks: ``tool_choice`` ``required`` cannot be enforced (the tools are passed on, and
the model chooses); a named tool is passed on alone; ``none`` passes no tools. ``logit_bias``,
``user``, ``logprobs`` and ``parallel_tool_calls`` are left out.

Source: facts of OpenAI and Ollama (source fb30760), read 2026-11-22.
"""

from __future__ import annotations

from lib.domain.llm.checked import objects, optional, required
from lib.domain.llm.dialects import Options, Stamp
from lib.domain.llm.ollama_answers import LineDecoder, chat_answer_from, message_of_chat
from lib.domain.llm.ollama_fields import format_from, request_of, think_from
from lib.domain.llm.ollama_messages import ollama_messages_from
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Json
from lib.errors import Rejected


class OllamaProvider:
    """A ``ProviderDialect``: POST /api/chat, answers in JSON lines."""

    def request_from(self, chat: Json, options: Options) -> Json:
        """The body of ``/api/chat``.

        Raises:
            Rejected: it is wrong, or asks for what Ollama does not have.
        """
        if (optional(chat, "n", int) or 1) != 1:
            raise NotForThisModel("`n`: an Ollama model gives one answer; leave it out")
        if chat.get("functions") or chat.get("function_call"):
            raise NotForThisModel("`functions` is a thing of the past; send `tools`")
        fields: Json = {"messages": ollama_messages_from(chat)}
        if tools := _tools_in(chat):
            fields["tools"] = tools
        if (wanted := format_from(chat)) is not None:
            fields["format"] = wanted
        think = think_from(optional(chat, "reasoning_effort", str), options)
        if think is not None:
            fields["think"] = think
        return request_of(chat, options, fields)

    def chat_from(self, answer: Json, stamp: Stamp) -> Json:
        """The chat answer of an answer of ``/api/chat``.

        Raises:
            PotokError: it is an error, or not whole.
        """
        return chat_answer_from(answer, message_of_chat, stamp)

    def decoder(self, stamp: Stamp) -> LineDecoder:
        """What reads the lines of ``/api/chat``."""
        return LineDecoder(stamp, message_of_chat)


def _tools_in(chat: Json) -> list[Json]:
    tools = objects(chat, "tools")
    for n, tool in enumerate(tools):
        if tool.get("type", "function") != "function":
            raise NotForThisModel(f"`tools[{n}].type`: an Ollama model knows functions only")
        required(required(tool, "function", dict, f"tools[{n}]."), "name", str, f"tools[{n}].")
    choice = chat.get("tool_choice")
    if choice == "none":
        return []
    if choice in (None, "auto", "required"):
        return tools
    if not isinstance(choice, dict) or choice.get("type") != "function":
        raise Rejected("`tool_choice` must be auto, none, required or name a function")
    name = required(required(choice, "function", dict, "tool_choice."), "name", str, "tool_choice.")
    if not (named := [tool for tool in tools if tool["function"]["name"] == name]):
        raise Rejected(f"`tool_choice` names {name[:64]!r}, which is not among `tools`")
    return named
