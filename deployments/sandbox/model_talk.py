"""What the stand-ins for models answer: it follows from the question alone.

In this order:

- tools are offered, the last message is a person's and says ``tool`` or ``погода``: a call of the
  first one; of two when it says ``two tools``. Arguments that may be text are the person's text
- JSON is asked for: what fits the schema, as little as can be; a lead is read
- the last message is a tool's answer: a text that quotes it
- ``repeat 500``: 500 numbered words, each a piece of the stream
- else ``Вы написали: …``, with ``[2 image(s)]`` when there are any
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import orjson

from deployments.sandbox.llm_reading import read_as
from deployments.sandbox.llm_schema import filled
from deployments.sandbox.refusals import Refused

Json = dict[str, Any]

CHARS_OF_TOKEN = 4
QUOTED_CHARS = 200
THOUGHT = "Надо подумать: что написал человек и чего он ждёт. Отвечу прямо."
_WISH = re.compile(r"\btwo tools\b|\btool|погод", re.IGNORECASE)
_REPEAT = re.compile(r"\brepeat (\d{1,6})\b", re.IGNORECASE)
_NOT_TEXT = {"data", "url", "images", "signature"}
# What a schema of wrong types trips over.
_MISFITS = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the caller offers; ``schema`` is of its arguments."""

    name: str
    schema: Json


@dataclass(frozen=True, slots=True)
class Use:
    """A call of a tool."""

    name: str
    arguments: Json

    @property
    def written(self) -> str:
        """The arguments as text."""
        return orjson.dumps(self.arguments).decode()


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, whichever vendor it was put to.

    Attributes:
        text: of the last user message.
        images: in all messages.
        tool_answer: what tools answered, when that came last; None otherwise.
        tools: that may be called.
        choice: ``auto``, ``none``, ``any``, or the name of the tool that has to be called.
        is_parallel: more calls than one may come at once.
        schema: of the JSON that is asked for; empty: any JSON; None: text.
        thinks: thoughts come first.
        max_tokens: of thoughts and answer; None: no limit.
        prompt_tokens: what was read.
        echo: the whole answer, where it is known beforehand.
    """

    text: str
    images: int = 0
    tool_answer: str | None = None
    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    is_parallel: bool = True
    schema: Json | None = None
    thinks: bool = False
    max_tokens: int | None = None
    prompt_tokens: int = 0
    echo: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, in the pieces of its stream."""

    thoughts: tuple[str, ...] = ()
    pieces: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()
    is_cut_short: bool = False
    prompt_tokens: int = 0

    @property
    def thought(self) -> str:
        """All thoughts."""
        return "".join(self.thoughts)

    @property
    def text(self) -> str:
        """All of the answer."""
        return "".join(self.pieces)

    @property
    def thought_tokens(self) -> int:
        """Tokens of the thoughts."""
        return tokens_of(len(self.thought))

    @property
    def tokens(self) -> int:
        """Tokens of everything."""
        return self.thought_tokens + tokens_of(
            chars_in([self.text, *(u.written for u in self.uses)])
        )

    @property
    def is_nothing(self) -> bool:
        """There is no answer at all."""
        return not (self.thoughts or self.pieces or self.uses or self.is_cut_short)


def answer_to(asked: Asked) -> Said:
    """The answer to a question, the same each time.

    Raises:
        Refused: a schema is none.
    """
    try:
        uses = _uses(asked)
        pieces = () if uses else _pieces(asked)
    except _MISFITS as exc:
        raise Refused(400, f"Invalid schema: {exc}") from exc
    thoughts = cut(THOUGHT) if asked.thinks else ()
    said = Said(thoughts, pieces, uses, prompt_tokens=asked.prompt_tokens)
    return said if asked.max_tokens is None else _within(said, asked.max_tokens * CHARS_OF_TOKEN)


def cut(text: str) -> tuple[str, ...]:
    """A text in pieces: at least five, where it has so many characters; at most about 64."""
    size = max(1, min(8, len(text) // 5), len(text) // 64)
    return tuple(text[start : start + size] for start in range(0, len(text), size))


def tokens_of(chars: int) -> int:
    """How many tokens so many characters are, rounded up."""
    return -(-chars // CHARS_OF_TOKEN)


def chars_in(value: Any) -> int:
    """How many characters of text there are in a JSON value; pictures do not count."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(chars_in(part) for key, part in value.items() if key not in _NOT_TEXT)
    return sum(map(chars_in, value)) if isinstance(value, list) else 0


def _uses(asked: Asked) -> tuple[Use, ...]:
    wish = _WISH.search(asked.text)
    if not asked.tools or asked.choice == "none" or asked.tool_answer is not None:
        return ()
    if asked.choice == "auto" and not wish:
        return ()
    called = [tool for tool in asked.tools if tool.name == asked.choice] or list(asked.tools)
    is_two = asked.is_parallel and "two tools" in asked.text.lower()
    return tuple(_use(tool, asked.text) for tool in ((called * 2)[:2] if is_two else called[:1]))


def _use(tool: Tool, text: str) -> Use:
    known = dict.fromkeys(tool.schema.get("properties") or {}, text[:QUOTED_CHARS])
    return Use(tool.name, filled({"type": "object"} | tool.schema, known))


def _pieces(asked: Asked) -> tuple[str, ...]:
    if asked.echo:
        return cut(asked.echo)
    if asked.schema is not None:
        return cut(orjson.dumps(read_as(asked.schema, asked.text)).decode())
    if asked.tool_answer is not None:
        return cut(f"Инструмент ответил: {asked.tool_answer[:QUOTED_CHARS]}")
    if repeat := _REPEAT.search(asked.text):
        return tuple(f"слово-{number} " for number in range(1, int(repeat[1]) + 1))
    seen = f" [{asked.images} image(s)]" if asked.images else ""
    return cut(f"Вы написали: {asked.text[:QUOTED_CHARS]}{seen}")


def _within(said: Said, chars: int) -> Said:
    thoughts = _first(said.thoughts, chars)
    pieces = _first(said.pieces, chars - chars_in(thoughts))
    is_cut = chars_in([*thoughts, *pieces]) < chars_in([*said.thoughts, *said.pieces])
    return replace(said, thoughts=tuple(thoughts), pieces=tuple(pieces), is_cut_short=is_cut)


def _first(pieces: Iterable[str], chars: int) -> list[str]:
    kept = []
    for piece in pieces:
        if chars <= 0:
            break
        kept.append(piece[:chars])
        chars -= len(piece)
    return kept
