"""Bitrix24's error strings, said in our own tree.

Source:
    apidocs.bitrix24.com, "Statuses and system error codes" and the pages of crm.*, 2026-08;
    the rest module's exceptions, for the codes the pages leave out.
"""

from __future__ import annotations

import re

from lib.errors import AnswerLost, Denied, PotokError, RateLimited, Rejected, Unavailable

_REASON_CHARS = 200
_BLOCKED_S = 300.0
_PAUSE_S = {"query_limit_exceeded": 2.0, "overload_limit": 600.0}
_DENIED = frozenset(
    {
        "access_denied",
        "allowed_only_intranet_user",
        "application_not_found",
        "authorization_error",
        "expired_token",
        "insufficient_scope",
        "invalid_client",
        "invalid_credentials",
        "invalid_grant",
        "invalid_request",  # "Https required."
        "invalid_token",
        "method_confirm_denied",
        "method_confirm_waiting",
        "no_auth_found",
        "payment_required",
        "portal_deleted",
        "user_access_error",
        "wrong_client",
    }
)
_FAILED = frozenset({"internal_server_error", "error_unexpected_answer"})
_MISSING = frozenset({"not_found", "error_not_found", "owner_not_found"})
_PERSONAL = re.compile(r"\+?\d[\d\s()\-]{6,}\d|\S+@\S+|<[^>]*>")


class NotFound(Rejected):
    """The portal has no such record: never had, or a person deleted it."""


def error_from(
    method: str, code: str, description: str, *, write: bool, blocked_s: float | None = None
) -> PotokError:
    """Translate one refusal.

    Args:
        method: the REST method that was refused.
        code: the ``error`` string; the vendor's letter case differs from page to page.
        description: ``error_description``; phones, e-mails and tags are taken out of it.
        write: whether the command may have changed something.
        blocked_s: seconds to the last known ``operating_reset_at`` of the method.

    Returns:
        The error, to raise or to keep by its key.
    """
    kind = code.strip().lower()
    reason = _PERSONAL.sub("…", description)[:_REASON_CHARS]
    told = f"Bitrix24 {method}: {code or 'no code'}: {reason}"
    if kind == "operation_time_limit":
        known = blocked_s is not None and blocked_s > 0
        return RateLimited(told, blocked_s if known and blocked_s else _BLOCKED_S)
    if kind in _PAUSE_S:
        return RateLimited(told, _PAUSE_S[kind])
    if kind in _DENIED:
        return Denied(told)
    if kind in _FAILED:
        return (AnswerLost if write else Unavailable)(told)
    if kind in _MISSING or (not kind and description.strip(" .").lower() == "not found"):
        return NotFound(told)
    return Rejected(told)
