"""The one error tree. It answers one question: is it worth a retry?

PotokError
├── Rejected          our input is wrong          no retry   HTTP 422
│   └── BadSignature  the caller is not who       no retry   HTTP 401
├── Denied            our credentials are wrong   no retry   tell a person now
└── Unavailable       the far side failed         retry
    ├── RateLimited   … and said when to come back
    └── AnswerLost    … after it may have carried the request out: look before repeating a write
"""

from __future__ import annotations


class PotokError(Exception):
    """Any error that this project raises on purpose."""


class Rejected(PotokError):
    """The input is wrong; the same input will be refused again."""


class BadSignature(Rejected):
    """The caller did not prove who it is."""


class Denied(PotokError):
    """The far side refuses our credentials or rights; a person has to act."""


class Unavailable(PotokError):
    """The far side failed or could not be reached; a later attempt may succeed."""


class RateLimited(Unavailable):
    """The far side asks for a pause.

    Attributes:
        retry_after_s: seconds to wait before the next attempt.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message, retry_after_s)  # both, or it cannot be pickled
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return str(self.args[0])


class AnswerLost(Unavailable):
    """The request was sent and no answer came: a write may have happened."""
