"""``/usage``: who called what, and what it cost, as a page for a browser."""

from __future__ import annotations

import base64
import binascii
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from lib.bounded import bounded
from lib.domain.llm.keys import span_from
from lib.domain.plots import COLOURS, Point, line_plot
from lib.errors import BadSignature, Rejected, Unavailable
from lib.gateway.llm.door import House
from lib.store.failures import StatementFailed

log = logging.getLogger(__name__)

SPANS = ("1d", "7d", "30d", "90d")
READ_WITHIN_S = 20.0  # each of its statements ends after five, unless the server is frozen
LONGEST = timedelta(days=366)
STEPS = 84  # of a plot: a week in steps of two hours
ROWS = 50  # of a table; a client may ask for names without end
LINES = len(COLOURS)
LOGIN = {"WWW-Authenticate": 'Basic realm="potok usage", charset="UTF-8"'}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
REFUSED = "Нужен ключ, сделанный с --usage-page: имя любое, ключ — вместо пароля.\n"
WRONG_SPAN = "Срок — как 7d или 12h, не больше 366d.\n"
AWAY = "База данных не отвечает или не успела; попробуйте ещё раз или возьмите срок короче.\n"
TABLES = {"key": "По инструментам", "alias": "По именам", "provider": "По поставщикам"}


@dataclass(frozen=True, slots=True)
class Sums:
    """What a span of time has used.

    Attributes:
        tables: rows by what they are by; see `Calls.usage`.
        series: rows of each alias and step; see `Calls.series`.
    """

    since: datetime
    until: datetime
    step_s: float
    tables: Mapping[str, Sequence[Mapping[str, Any]]]
    series: Sequence[Mapping[str, Any]]


def usage_route(house: House) -> Route:
    """The page, behind a browser's own login."""

    async def usage(request: Request) -> Response:
        try:
            key = await house.keyring.find(password_in(request))
            if not key.sees_usage:  # told in the same words: a key says nothing of itself here
                raise BadSignature("not made for this page")
            span = request.query_params.get("since", "7d")
            sums = await bounded(_sums(house, _length(span)), READ_WITHIN_S)
        except BadSignature:
            return PlainTextResponse(REFUSED, 401, HEADERS | LOGIN)
        except Rejected:
            return PlainTextResponse(WRONG_SPAN, 400, HEADERS)
        except (Unavailable, StatementFailed, TimeoutError) as exc:
            log.warning("usage.not_read reason=%s", exc)
            return PlainTextResponse(AWAY, 503, HEADERS | {"Retry-After": "5"})
        page = await run_in_threadpool(page_from, sums, span)  # streams go on meanwhile
        return Response(page, 200, HEADERS, "text/html; charset=utf-8")

    return Route("/usage", usage)


def password_in(request: Request) -> str | None:
    """The password of a browser's login; None: there is none that can be read."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        login = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return login.partition(":")[2]


def page_from(sums: Sums, span: str) -> str:
    """The page; every name on it is a stranger's word, and escaped."""
    whole = sums.tables["key"]
    return _ENVIRONMENT.get_template("usage.html").render(
        span=span,
        spans=SPANS,
        since=sums.since,
        until=sums.until,
        total={name: sum(row[name] for row in whole) for name in _SUMMED},
        tables=[(title, sums.tables[by][:ROWS]) for by, title in TABLES.items()],
        more=[max(len(sums.tables[by]) - ROWS, 0) for by in TABLES],
        plots=_plots(sums) if sums.series else [],
    )


_SUMMED = ("calls", "failed", "refused", "cached", "tokens_in", "tokens_out", "usd")


async def _sums(house: House, length: timedelta) -> Sums:
    until = datetime.now(UTC)
    step_s = max(length.total_seconds() / STEPS, 60.0)
    calls, since = house.meter.calls, until - length
    tables = {by: await calls.usage(since, by) for by in TABLES}  # one connection, not all of them
    return Sums(since, until, step_s, tables, await calls.series(since, step_s))


def _length(span: str) -> timedelta:
    length = span_from(span)
    if length > LONGEST:
        raise Rejected("a span above a year")
    return length


def _plots(sums: Sums) -> list[Markup]:
    """Plots by alias over time; those with the most calls, as many as there are colours."""
    calls = {row["name"]: row["calls"] for row in sums.tables["alias"]}
    names = sorted(calls, key=lambda name: (-calls[name], name))[:LINES]
    told = [
        ("Вызовы", "", "calls", 0.0),
        ("Доллары США", "$", "usd", 0.0),
        ("Первый токен, медиана", "мс", "first_token_p50_ms", None),
    ]
    return [
        Markup(line_plot(title, unit, _lines(sums, names, field, otherwise)))  # noqa: S704
        for title, unit, field, otherwise in told
        if any(row[field] for row in sums.series)
    ]


def _lines(
    sums: Sums, names: Sequence[str], field: str, otherwise: float | None
) -> dict[str, list[Point]]:
    """Points at every step, also where nobody called: 0 calls, but no time to a first token."""
    first = math.floor(sums.since.timestamp() / sums.step_s)
    last = math.floor(sums.until.timestamp() / sums.step_s)
    found = {
        (row["name"], round(row["at"].timestamp() / sums.step_s)): row[field]
        for row in sums.series
        if row[field] is not None
    }
    at = {step: datetime.fromtimestamp(step * sums.step_s, UTC) for step in range(first, last + 1)}
    return {
        name: [
            (at[step], float(found[name, step]) if (name, step) in found else otherwise)
            for step in range(first, last + 1)
        ]
        for name in names
    }


def _grouped(number: int) -> str:
    """``12 345``, with spaces that do not break."""
    return f"{number:,}".replace(",", "\u202f")


def _short(number: int) -> str:
    """``12,3 тыс.``: about how many."""
    for size, word in ((1_000_000_000, "млрд"), (1_000_000, "млн"), (1_000, "тыс.")):
        if number >= size:
            return f"{number / size:.1f}".replace(".", ",") + f"\u00a0{word}"
    return str(number)


def _dollars(usd: Decimal) -> str:
    """Cents, and what is less than ten cents to a hundredth of one."""
    return f"${usd:.4f}" if 0 < usd < Decimal("0.1") else f"${usd:,.2f}".replace(",", "\u202f")


def _ms(value: float | None) -> str:
    return "—" if value is None else f"{_grouped(round(value))}\u00a0мс"


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {"grouped": _grouped, "short": _short, "dollars": _dollars, "ms": _ms}
