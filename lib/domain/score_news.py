"""A score on its way into the CRM: whether it is news there, and in which words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lib.domain.lines import plain
from lib.domain.scoring import BANDS, Reason

UNKNOWN = "?"  # before a band: another was sent to the CRM after it, and its answer was lost
BAND_WORDS = {"hot": "горячий", "warm": "тёплый", "cold": "холодный"}
_MARK = re.compile(rf"\[score:({'|'.join(BANDS)})\]")


@dataclass(frozen=True, slots=True)
class Untold:
    """A score that the CRM does not have.

    Attributes:
        crm_id: the lead there.
        crm_band: the band that it was told last; None: none; see ``UNKNOWN``.
    """

    lead_id: int
    crm_id: int
    score: int
    band: str
    reasons: tuple[Reason, ...]
    crm_band: str | None

    @property
    def is_in_doubt(self) -> bool:
        """Whether an answer was lost: the CRM may have another band than ``band_before``."""
        return self.crm_band is not None and self.crm_band.startswith(UNKNOWN)

    @property
    def band_before(self) -> str | None:
        """The band that the CRM surely had."""
        return (self.crm_band or "").removeprefix(UNKNOWN) or None


def is_news(before: str | None, after: str) -> bool:
    """Whether the timeline is told of a band; of a new lead's only when it is hot at once."""
    return after == "hot" if before is None else before != after


def score_comment(score: int, band: str, reasons: Sequence[Reason]) -> str:
    """A score for the timeline, the strongest reasons first, and a mark to find it by."""
    strongest = sorted(reasons, key=lambda reason: -abs(reason.points))
    lines = [f"Оценка лида: {score} из 100, {BAND_WORDS[band]}", *map(str, strongest)]
    return plain("\n".join(lines)) + f"\n[score:{band}]"


def commented_band(comment: str) -> str | None:
    """The band that such a comment says; None: it is another comment."""
    found = _MARK.search(comment)
    return found[1] if found else None
