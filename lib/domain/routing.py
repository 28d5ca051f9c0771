"""What a probe of the models means: blocked, or down? whom to tell of what?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from lib.domain.llm.refusals import NoSuchModel
from lib.domain.llm.table import Candidate, Table
from lib.errors import Denied, PotokError, RateLimited

_DATE = re.compile(r"20[0-9]{6}")

OK, BLOCKED, DOWN, NO_MODEL = "ok", "blocked", "down", "no model"
DENIED, BUSY, UNTRIED = "denied", "rate limited", "not tried"
WELL = frozenset({OK, BUSY, UNTRIED})
TOLD_BEFORE = timedelta(days=14)
DEAREST_USD = 1_000_000  # for a million tokens; above it is no price

# The vendors' own words for "not from your country": Anthropic, OpenAI, Groq, Cloudflare.
_OF_A_REGION = re.compile(
    r"^(status )?451\b|unsupported_country|country, region|your (region|country|location)|territor"
    r"|^403: (request not allowed|forbidden)$|error 1009",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe found of a model at a provider.

    Attributes:
        state: ``ok``, ``blocked`` (from here), ``down``, ``no model``, ``denied``,
            ``rate limited`` or ``not tried``: listed there, but the probe asked it nothing.
        reason: in a few words; "" when it is well.
        first_token_ms: None: not measured.
        price_in, price_out: US dollars for a million tokens, as the provider says.
    """

    provider: str
    model: str
    state: str
    reason: str = ""
    first_token_ms: float | None = None
    price_in: Decimal | None = None
    price_out: Decimal | None = None
    retires: date | None = None

    @property
    def name(self) -> str:
        """``provider/model``."""
        return f"{self.provider}/{self.model}"

    @property
    def is_well(self) -> bool:
        """Whether calls should go there."""
        return self.state in WELL


def state_of(error: PotokError) -> str:
    """What an error of a provider says of it, as far as one try can tell."""
    if _OF_A_REGION.search(str(error)):
        return BLOCKED
    if isinstance(error, NoSuchModel):
        return NO_MODEL
    if isinstance(error, Denied):
        return DENIED
    return BUSY if isinstance(error, RateLimited) else DOWN


def told_apart(findings: Sequence[Finding], answers_elsewhere: Mapping[str, str]) -> list[Finding]:
    """Findings in which a provider that cannot be reached here, and can by another way, is blocked.

    Args:
        findings: as each try saw them.
        answers_elsewhere: by provider, another way by which its address answers.
    """
    told = []
    for found in findings:
        way = answers_elsewhere.get(found.provider)
        if found.state == DOWN and way is not None:
            found = replace(found, state=BLOCKED, reason=f"{found.reason}; answers by {way}")
        told.append(found)
    return told


def without_a_candidate(table: Table, findings: Iterable[Finding]) -> list[str]:
    """Aliases of which no candidate is well."""
    ill = {found.name for found in findings if not found.is_well}
    return [
        name
        for name, alias in table.aliases.items()
        if all(candidate.name in ill for candidate in alias.candidates)
    ]


def retiring(table: Table, today: date) -> list[tuple[str, Candidate, date]]:
    """Aliases and their models that are retired, or will be within two weeks; and the day."""
    return [
        (name, candidate, candidate.retires)
        for name, alias in table.aliases.items()
        for candidate in alias.candidates
        if candidate.retires is not None and candidate.retires - TOLD_BEFORE <= today
    ]


def prices_in(listed: Any) -> dict[str, tuple[Decimal, Decimal]]:
    """Prices that a provider's list of models says, by model: in, out, for a million tokens.

    Source:
        openrouter.ai/docs/api-reference/list-available-models: strings, dollars a token.
    """
    found = {}
    for entry in listed if isinstance(listed, list) else ():
        pricing = entry.get("pricing") if isinstance(entry, dict) else None
        if isinstance(pricing, dict) and isinstance(entry.get("id"), str):
            given = _dollars(pricing.get("prompt")), _dollars(pricing.get("completion"))
            if given[0] is not None and given[1] is not None:
                found[entry["id"]] = (given[0], given[1])
    return found


def names_in(listing: Any) -> set[str] | None:
    """The models of a provider's list, in any of the three dialects; None: it is no such list."""
    if not isinstance(listing, dict):
        return None
    listed = listing.get("data", listing.get("models"))
    if not isinstance(listed, list):
        return None
    entries = [entry for entry in listed if isinstance(entry, dict)]
    named = (entry.get("id") or entry.get("model") or entry.get("name") for entry in entries)
    return {name for name in named if isinstance(name, str)}


def is_listed(model: str, names: set[str]) -> bool:
    """Whether a model is in a list, where Ollama adds ``:latest`` and Anthropic a date."""
    if model in names or f"{model}:latest" in names:
        return True
    return any(name.startswith(f"{model}-") and _DATE.fullmatch(name[-8:]) for name in names)


def _dollars(per_token: Any) -> Decimal | None:
    try:
        dollars = Decimal(str(per_token)) * 1_000_000
    except (ArithmeticError, ValueError):
        return None
    return dollars.normalize() if dollars.is_finite() and 0 <= dollars < DEAREST_USD else None
