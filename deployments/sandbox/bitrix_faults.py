"""What makes the portal a hard one: its request limit, and failures switched on by request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from deployments.sandbox.failures import MAX_S, failure_from

# The fields that a kind has besides ``times`` and ``methods``.
KINDS: dict[str, tuple[str, ...]] = {
    "lose_answer": ("how",),
    "silent": ("seconds",),
    "html_502": (),
    "query_limit": (),
    "operation_time_limit": ("seconds",),
    "insufficient_scope": (),
    "poison": ("marker",),
    "lose_event": (),
}
_UNTIL_CLEARED = frozenset({"insufficient_scope", "poison"})


class RestError(Exception):
    """An error as the vendor says it: a code, a description, and an HTTP status."""

    def __init__(self, code: str, description: str = "", status: int = 400) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.status = status
        self.reset_at: int | None = None


class LeakyBucket:
    """The portal's request limit: +1 a request, ``-per_s`` a second, full above ``burst``.

    Source:
        apidocs.bitrix24.com/limits.html, 2026-08: 50 and 2/s, on Enterprise 250 and 5/s.
    """

    def __init__(self, burst: float, per_s: float, clock: Callable[[], float]) -> None:
        self.burst = burst
        self.per_s = per_s
        self.level = 0.0
        self._clock = clock
        self._seen_at = clock()

    def is_full(self) -> bool:
        """Count one request; True when it must be refused (a refused one is not counted)."""
        now = self._clock()
        self.level = max(0.0, self.level - (now - self._seen_at) * self.per_s)
        self._seen_at = now
        if self.level + 1 > self.burst:
            return True
        self.level += 1
        return False


def _separate(methods: object) -> object:
    """``a,b`` as a list: so a person writes it on a command line."""
    return methods.split(",") if isinstance(methods, str) else methods


class Failure(BaseModel):
    """One failure that waits for its request or command.

    Attributes:
        kind: one of ``KINDS``.
        times: how often it still strikes; None: until it is cleared.
        methods: REST methods it strikes, in lower case; None: all.
        seconds: how long ``silent`` says nothing; how far away the reset of
            ``operation_time_limit`` is.
        how: for ``lose_answer``: ``close`` (connection cut in mid-answer) or ``504`` (HTML).
        marker: for ``poison``: the text that a command must not contain.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    kind: str
    times: int | None = Field(default=1, ge=1)
    methods: Annotated[list[str] | None, BeforeValidator(_separate)] = None
    seconds: float = Field(default=300.0, ge=0, le=MAX_S, allow_inf_nan=False)
    how: Annotated[Literal["close", "504"], BeforeValidator(str)] = "close"
    marker: str = ""


class Failures:
    """The failures that are switched on, oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Failure] = []

    def add(self, wish: object) -> None:
        """Switch one on.

        Args:
            wish: the fields of `Failure`.

        Raises:
            ValueError: no such kind, a field that it does not have, or a wrong value.
        """
        failure = failure_from(Failure, KINDS, ("times", "methods"), wish)
        if "times" not in failure.model_fields_set and failure.kind in _UNTIL_CLEARED:
            failure.times = None
        if failure.methods is not None:
            failure.methods = [method.lower() for method in failure.methods]
        self._waiting.append(failure)

    def clear(self) -> None:
        """Switch all of them off."""
        self._waiting.clear()

    def listed(self) -> list[dict[str, Any]]:
        """What is switched on now."""
        return [failure.model_dump() for failure in self._waiting]

    def strike(self, kind: str, method: str, params: object = None) -> Failure | None:
        """Take the first failure of this kind that meets the method; None when there is none."""
        for failure in self._waiting:
            if failure.kind != kind or (failure.methods and method not in failure.methods):
                continue
            if kind == "poison" and not _contains(params, failure.marker):
                continue
            if failure.times is not None:
                failure.times -= 1
                if failure.times <= 0:
                    self._waiting.remove(failure)
            return failure
        return None

    def check(self, method: str, params: object, now: float) -> None:
        """Let the failures of a single command strike.

        Args:
            method: the command's REST method, lower case.
            params: its parameters, looked through for the marker of ``poison``.
            now: Unix seconds.

        Raises:
            RestError: one of them struck.
        """
        if not self._waiting:
            return
        if self.strike("insufficient_scope", method):
            higher = "The request requires higher privileges than provided by the webhook token"
            raise RestError("insufficient_scope", higher, 401)
        if failure := self.strike("operation_time_limit", method):
            blocked = "Method is blocked due to operation time limit."
            error = RestError("OPERATION_TIME_LIMIT", blocked, 429)
            error.reset_at = int(now + failure.seconds)
            raise error
        if self.strike("poison", method, params):
            raise RestError("CRM_FIELD_ERROR_VALUE_NOT_VALID", "Invalid value of a field")


def _contains(value: object, marker: str) -> bool:
    if isinstance(value, str):
        return marker in value
    if isinstance(value, Mapping):
        return any(_contains(item, marker) for item in value.values())
    return isinstance(value, list) and any(_contains(item, marker) for item in value)
