"""Errors of httpx and statuses of ordinary HTTP APIs, said in our own tree.

Importing this module keeps secrets that stand in URLs (a Bitrix24 webhook code, a bot token)
out of httpx's own log lines.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from lib.errors import AnswerLost, Denied, RateLimited, Rejected, Unavailable

USER_AGENT = "potok/0.1"
REASON_CHARS = 300
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_NOT_SENDABLE = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)
_PAUSE_S = 5.0


@contextmanager
def translated(what: str, *, write: bool) -> Iterator[None]:
    """Raise our errors in place of httpx's.

    Args:
        what: who is asked for what, without secrets; it opens every message.
        write: whether the request may change something there.

    Raises:
        Unavailable: the request was not sent, or a read was not answered.
        AnswerLost: a write was sent, at least in part, and no whole answer came.
        Rejected: the request cannot be sent as it is.
    """
    try:
        yield
    except _NOT_SENT as exc:
        raise Unavailable(f"{what}: not reached ({type(exc).__name__})") from exc
    except _NOT_SENDABLE as exc:
        raise Rejected(f"{what}: cannot be sent ({type(exc).__name__})") from exc
    except httpx.RequestError as exc:
        raise unanswered(what, type(exc).__name__, write=write) from exc


def unanswered(what: str, why: str, *, write: bool) -> Unavailable:
    """The error for a request that was sent and got no answer that can be read."""
    return (AnswerLost if write else Unavailable)(f"{what}: no answer ({why})")


def check_status(response: httpx.Response, what: str, *, write: bool) -> None:
    """Accept 2xx of an ordinary HTTP API.

    Args:
        response: its answer, read.
        what: who was asked for what, without secrets.
        write: whether the request may have changed something there.

    Raises:
        Denied: 401, 403, 407.
        RateLimited: 429, or 503 with Retry-After.
        AnswerLost: 500, 502, 504 to a write.
        Unavailable: 408, 425 and other 5xx.
        Rejected: any other status.
    """
    status = response.status_code
    if 200 <= status < 300:
        return
    told = f"{what}: HTTP {status}{_reason(response)}"
    if status in (401, 403, 407):
        raise Denied(told)
    if status == 429 or (status == 503 and "retry-after" in response.headers):
        raise RateLimited(told, retry_after_s(response))
    if status in (500, 502, 504) and write:
        raise AnswerLost(told)
    if status in (408, 425) or status >= 500:
        raise Unavailable(told)
    raise Rejected(told)


def retry_after_s(response: httpx.Response, otherwise_s: float = _PAUSE_S) -> float:
    """Seconds to wait by the Retry-After header (seconds or a date), else ``otherwise_s``."""
    header = response.headers.get("retry-after", "").strip()
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, OverflowError):
        return otherwise_s


def _reason(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    # FastAPI repeats the whole input beside its complaint: only place and complaint are told.
    for name in ("detail", "exception_detail", "error", "message"):
        if reason := _told(body.get(name)):
            return f": {reason[:REASON_CHARS]}"
    return ""


def _told(detail: Any) -> str:
    if isinstance(detail, str):
        return detail
    if isinstance(detail, dict):
        return _told(detail.get("message"))
    if not isinstance(detail, list):
        return ""
    complaints = [entry for entry in detail if isinstance(entry, dict)]
    return "; ".join(f"{entry.get('loc')} {entry.get('msg')}" for entry in complaints)


def _without_path(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(
            f"{arg.scheme}://{arg.host}/…" if isinstance(arg, httpx.URL) else arg
            for arg in record.args
        )
    return True


logging.getLogger("httpx").addFilter(_without_path)
