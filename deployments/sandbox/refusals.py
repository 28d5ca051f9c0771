"""Why the control surface refuses something, in one line for the person who asked."""

from __future__ import annotations

from pydantic import ValidationError


def plain(error: ValidationError) -> str:
    """What is wrong with a body, field by field, without pydantic's own frame."""
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'the body'} {_wrong(each['type'], each['msg'])}"
        for each in error.errors()
    )


def _wrong(kind: str, words: str) -> str:
    if kind == "extra_forbidden":
        return "is no field"
    if kind == "missing":
        return "is missing"
    return words.removeprefix("Input ").removeprefix("Value error, ")
