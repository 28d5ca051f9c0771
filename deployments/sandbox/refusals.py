"""How the sandbox refuses: the control surface in one line, a vendor in its own words."""

from __future__ import annotations

from pydantic import ValidationError


class Refused(Exception):
    """A vendor refuses a call; each vendor has its own shape for it.

    Attributes:
        status: of HTTP.
        message: in the vendor's words.
        code: the vendor's code or type, where the status does not say it.
        retry_after_s: when to come back; None where it is not said.
    """

    def __init__(
        self, status: int, message: str, code: str = "", retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.retry_after_s = retry_after_s


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
