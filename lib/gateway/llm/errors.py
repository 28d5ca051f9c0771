"""Our errors as an HTTP status, a code that programs read, and words for people."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lib.domain.llm.table import UnknownModel
from lib.errors import BadSignature, PotokError, RateLimited, Rejected, Unavailable
from lib.gateway.body import TooLarge, TooSlow
from lib.router.outcomes import (
    CANNOT,
    CIRCUIT_OPEN,
    NO_MODEL,
    KeyForbids,
    NobodyAnswered,
    OverLimit,
)
from lib.store.failures import StatementFailed

RATE_LIMITED = "rate limited"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client is told.

    Attributes:
        code: such as ``model_not_found``.
        retry_after_s: None: it does not help to wait.
        outcome: for the record: whose fault it is.
    """

    status: int
    code: str
    words: str
    retry_after_s: float | None = None
    outcome: str = "refused"

    @property
    def headers(self) -> dict[str, str]:
        """Retry-After in whole seconds, and no further use of a connection with a body left."""
        headers = {}
        if self.retry_after_s is not None:
            headers["retry-after"] = str(max(1, math.ceil(self.retry_after_s)))
        if self.status in (408, 413):
            headers["connection"] = "close"
        return headers


_KINDS: tuple[tuple[type[PotokError], int, str], ...] = (
    (BadSignature, 401, "invalid_api_key"),
    (KeyForbids, 403, "model_not_allowed"),
    (UnknownModel, 404, "model_not_found"),
    (TooLarge, 413, "request_too_large"),
    (TooSlow, 408, "request_timeout"),
    (Rejected, 400, "invalid_request"),
)


def answer_from(error: PotokError | StatementFailed) -> Answer:
    """What a client is told of an error."""
    if isinstance(error, NobodyAnswered):
        return _nobody(error)
    if isinstance(error, OverLimit):
        return Answer(429, "rate_limit_exceeded", str(error), error.retry_after_s)
    for kind, status, code in _KINDS:
        if isinstance(error, kind):
            return Answer(status, code, str(error))
    wait_s = error.retry_after_s if isinstance(error, RateLimited) else 1.0
    words = str(error) if isinstance(error, Unavailable) else "the database refuses a statement"
    return Answer(503, "unavailable", words, wait_s, "failed")


def _nobody(error: NobodyAnswered) -> Answer:
    words = str(error)
    if all(each.reason == CIRCUIT_OPEN for each in error.tries):
        return Answer(503, "unavailable", words, error.wait_s or 1.0, "failed")
    if all(each.reason == RATE_LIMITED for each in error.tries):
        return Answer(429, "rate_limit_exceeded", words, error.wait_s or 1.0, "failed")
    reasons = {each.reason for each in error.tries}
    if reasons == {CANNOT} or (not error.is_alias and reasons <= {CANNOT, NO_MODEL}):
        return Answer(400, "not_possible", words)  # the client named a model that cannot or is not
    return Answer(502, "provider_failed", words, None, "failed")
