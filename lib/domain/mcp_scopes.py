"""What a token of the MCP door may do.

A token is one of the tools' keys (`lib.domain.llm.keys`), and its scopes are names that it may ask
for. They are names of no model, so that a token opens no other door, and no key of another door
opens this one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from lib.errors import Rejected

Scope = Literal["read", "run", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFIX = "mcp:"


def scopes_from(text: str) -> tuple[Scope, ...]:
    """Scopes as people write them: ``read,run``.

    Raises:
        Rejected: it names none, or one that there is not.
    """
    named = {word.strip() for word in text.split(",") if word.strip()}
    if not named or named - set(SCOPES):
        raise Rejected(f"scopes are {', '.join(SCOPES)}, with commas between them, not {text!r}")
    return tuple(scope for scope in SCOPES if scope in named)


def key_name(name: str) -> str:
    """The name of a token among the keys: apart from the models' keys of the same tool."""
    return PREFIX + name


def key_names(scopes: Iterable[Scope]) -> tuple[str, ...]:
    """Scopes as names that a key may ask for."""
    return tuple(PREFIX + scope for scope in scopes)


def scopes_in(names: Iterable[str]) -> frozenset[Scope]:
    """The scopes among what a key may ask for."""
    given = set(names)
    return frozenset(scope for scope in SCOPES if PREFIX + scope in given)


def is_within(scopes: Iterable[Scope], wanted: str) -> bool:
    """Whether these scopes allow it; ``admin`` allows all."""
    given = set(scopes)
    return wanted in given or "admin" in given
