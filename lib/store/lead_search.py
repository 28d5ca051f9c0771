"""Finding leads by what a person remembers of them."""

from __future__ import annotations

import re
from typing import Any

from lib.errors import Rejected
from lib.store.engine import Database
from lib.store.llm.rows import rows

BANDS = ("hot", "warm", "cold")
QUERY_CHARS = 200
MESSAGES = 50  # of one lead

_FIND = """
    select l.id, l.name, l.phone, l.email, l.company, l.intent, l.amount, l.currency, l.urgency,
      l.summary, l.source, l.opened_at, l.last_message_at, l.crm_id, l.crm_state, l.crm_stage,
      s.score, s.band
    from leads l left join scores s on s.lead_id = l.id
    where (%(band)s::text is null or s.band = %(band)s)
      and (%(like)s::text is null
        or concat_ws(' ', l.name, l.email, l.company, l.intent, l.summary) ilike %(like)s
        or l.phone like any(%(phones)s) or l.id = %(number)s
        or exists (
          select from lead_messages m where m.lead_id = l.id and m.text ilike %(like)s))
    order by l.last_message_at desc, l.id desc limit %(limit)s
"""
_WORDS = """
    select lead_id, at, text from (
      select lead_id, at, text, row_number() over (partition by lead_id order by at desc) as nth
      from lead_messages where lead_id = any(%s)
    ) as words where nth <= %s order by at
"""


class LeadSearch:
    """Leads by name, phone, e-mail, company, wish, words or number."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(
        self, query: str = "", *, band: str | None = None, limit: int = 10, texts: bool = False
    ) -> list[dict[str, Any]]:
        """The leads that match, those with the newest words first.

        Args:
            query: part of what is known of a lead, or a phone as people write it; "": any lead.
            band: hot, warm or cold; None: whatever its score is.
            limit: how many at most.
            texts: with the person's messages.

        Raises:
            Rejected: the query is too long, or no text.
            Unavailable: the database is away.
        """
        found = await rows(self._database, _FIND, _values(query, band) | {"limit": limit})
        if texts and found:
            words: dict[int, list[dict[str, Any]]] = {lead["id"]: [] for lead in found}
            for row in await rows(self._database, _WORDS, (list(words), MESSAGES)):
                words[row["lead_id"]].append({"at": row["at"], "text": row["text"]})
            found = [lead | {"messages": words[lead["id"]]} for lead in found]
        return found


def _values(query: str, band: str | None) -> dict[str, Any]:
    if len(query) > QUERY_CHARS or "\x00" in query or _is_torn(query):
        raise Rejected(f"a query is a text of at most {QUERY_CHARS} characters")
    if band is not None and band not in BANDS:
        raise Rejected(f"a band is {', '.join(BANDS)}, not {band!r}")
    wanted = query.strip()
    literal = re.sub(r"([\\%_])", r"\\\1", wanted)
    digits = re.sub(r"[\s()+-]", "", wanted)
    is_number = digits.isascii() and digits.isdigit()
    # 8 916 … is +7 916 …
    ways = (digits, f"7{digits[1:]}") if is_number and len(digits) >= 4 else ()
    return {
        "like": f"%{literal}%" if wanted else None,
        "phones": [f"%{way}%" for way in ways],
        "number": int(wanted) if is_number and digits == wanted and len(digits) < 19 else None,
        "band": band,
    }


def _is_torn(text: str) -> bool:
    """Whether a text has half of a character, which is no UTF-8."""
    return any("\ud800" <= char <= "\udfff" for char in text)
